static float prefix_celu(float x)
{
    return (x > 0.0f) ? x : prefix_expm1f(x);
}
