static float prefix_add(float a, float b)
{
    return a + b;
}
