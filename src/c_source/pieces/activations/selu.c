static float prefix_selu(float x)
{
    return 1.050701f * ((x > 0.0f) ? x : (1.6732632f * prefix_expm1f(x)));
}
