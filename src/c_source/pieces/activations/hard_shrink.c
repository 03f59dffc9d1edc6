static float prefix_hard_shrink(float x)
{
    return ((x > 0.5f) || (x < -0.5f)) ? x : 0.0f;
}
