static float prefix_softplus(float x)
{
    const float size = (x < 0.0f) ? -x : x;
    return ((x > 0.0f) ? x : 0.0f) + prefix_log1pf(prefix_expf(-size));
}
