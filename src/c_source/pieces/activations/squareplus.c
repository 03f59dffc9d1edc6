static float prefix_squareplus(float x)
{
    return 0.5f * (x + prefix_sqrt((x * x) + 4.0f));
}
