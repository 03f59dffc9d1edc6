/* x times the normal distribution's cumulative function, by Abramowitz and Stegun's approximation 7.1.26 of erf. */
static float prefix_gelu(float x)
{
    const float z = prefix_size(x) * 0.70710677f;
    const float t = 1.0f / prefix_fma(z, 0.3275911f, 1.0f);
    float sum = 1.0614054f;
    float beyond;
    sum = prefix_fma(sum, t, -1.4531521f);
    sum = prefix_fma(sum, t, 1.4214138f);
    sum = prefix_fma(sum, t, -0.28449672f);
    sum = prefix_fma(sum, t, 0.2548296f);
    beyond = ((sum * t) * prefix_exp_below((x * x) * -0.5f).whole) * 0.5f;
    return x * ((x > 0.0f) ? (1.0f - beyond) : beyond);
}
