static float prefix_maximum(float a, float b)
{
    return prefix_greater(a, b);
}
