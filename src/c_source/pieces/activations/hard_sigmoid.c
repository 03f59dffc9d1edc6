static float prefix_hard_sigmoid(float x)
{
    return prefix_clamp((x / 6.0f) + 0.5f, 0.0f, 1.0f);
}
