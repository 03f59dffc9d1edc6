static float prefix_soft_shrink(float x)
{
    float result = 0.0f;
    if (x > 0.5f) {
        result = x - 0.5f;
    } else if (x < -0.5f) {
        result = x + 0.5f;
    } else {
        /* nothing is left */
    }
    return result;
}
