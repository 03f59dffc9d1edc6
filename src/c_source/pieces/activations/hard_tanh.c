static float prefix_hard_tanh(float x)
{
    return prefix_clamp(x, -1.0f, 1.0f);
}
