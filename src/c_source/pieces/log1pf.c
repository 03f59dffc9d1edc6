/* log(1 + x) of x from 0 to 1 */
static float prefix_log1pf(float x)
{
    const uint32_t size = prefix_bits_of(x);
    float result;
    if ((size > 0x3f800000U) || (size < 0x33800000U)) {
        result = x; /* no number, or so small a one */
    } else if (size < 0x3ed413d0U) {
        result = prefix_log_series(x, 0.0f, 0);
    } else {
        const float sum = 1.0f + x;
        const uint32_t moved = prefix_bits_of(sum) + (0x3f800000U - 0x3f3504f3U);
        const int32_t k = (int32_t)(moved >> 23) - 127;
        const float lost = (k >= 2) ? (1.0f - (sum - x)) : (x - (sum - 1.0f));
        const float f = prefix_number_of((moved & 0x7fffffU) + 0x3f3504f3U) - 1.0f;
        result = prefix_log_series(f, lost / sum, k);
    }
    return result;
}
