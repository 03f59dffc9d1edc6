static float prefix_multiply(float a, float b)
{
    return a * b;
}
