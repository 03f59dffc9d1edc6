static float prefix_elu(float x)
{
    return (x > 0.0f) ? x : prefix_exp_below(prefix_relu(x * -1.0f) * -1.0f).less;
}
