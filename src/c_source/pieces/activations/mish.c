static float prefix_mish(float x)
{
    return x * prefix_tanhf(prefix_softplus(x));
}
