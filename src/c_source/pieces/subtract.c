static float prefix_subtract(float a, float b)
{
    return a - b;
}
