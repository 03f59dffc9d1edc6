static float prefix_minimum(float a, float b)
{
    return prefix_greater(a * -1.0f, b * -1.0f) * -1.0f;
}
