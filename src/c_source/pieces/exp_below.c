/* exp(x) - 1 and exp(x) of x up to 0: x = n log(2) + r, n whole. */
typedef struct {
    float less;
    float whole;
} prefix_below;

static prefix_below prefix_exp_below(float x)
{
    const float bounded = prefix_greater(-84.0f, x);
    const float n = prefix_fma(bounded, 1.44269504f, 12582912.0f) - 12582912.0f;
    const float r = prefix_fma(n, -1.4286068e-6f, prefix_fma(n, -0.69314575f, bounded));
    const float scale = prefix_number_of((uint32_t)(((n < 0.0f) ? (int32_t)n : 0) + 127) << 23);
    float sum = 0.001394645f;
    float part;
    prefix_below result;
    sum = prefix_fma(sum, r, 0.008366584f);
    sum = prefix_fma(sum, r, 0.04166628f);
    sum = prefix_fma(sum, r, 0.16666543f);
    sum = prefix_fma(sum, r, 0.5f);
    part = prefix_fma(r * r, sum, r);
    result.less = prefix_fma(scale, part, scale - 1.0f);
    result.whole = prefix_fma(scale, part, scale);
    if ((result.whole < 7.5231638e-37f) && (result.whole > -7.5231638e-37f)) {
        result.whole = 0.0f; /* below 2^-120 */
    }
    return result;
}
