static float prefix_relu6(float x)
{
    return prefix_clamp(x, 0.0f, 6.0f);
}
