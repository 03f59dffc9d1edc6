static float prefix_sigmoid(float x)
{
    const float e = prefix_exp_below(prefix_size(x) * -1.0f).whole;
    return ((x > 0.0f) ? 1.0f : e) / (1.0f + e);
}
