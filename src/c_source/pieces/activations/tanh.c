static float prefix_tanh(float x)
{
    const float less = prefix_exp_below(prefix_size(x) * -2.0f).less;
    return ((x > 0.0f) ? (less * -1.0f) : less) / (2.0f + less);
}
