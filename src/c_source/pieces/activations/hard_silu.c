static float prefix_hard_silu(float x)
{
    return x * prefix_clamp((x / 6.0f) + 0.5f, 0.0f, 1.0f);
}
