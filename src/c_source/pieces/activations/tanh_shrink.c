static float prefix_tanh_shrink(float x)
{
    return x - prefix_tanhf(x);
}
