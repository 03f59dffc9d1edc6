static float prefix_exponential(float x)
{
    return prefix_expf(x);
}
