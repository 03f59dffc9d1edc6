static float prefix_silu(float x)
{
    return x * prefix_sigmoid(x);
}
