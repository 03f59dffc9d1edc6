static float prefix_tanhf(float number)
{
    const uint32_t bits = prefix_bits_of(number);
    const uint32_t size = bits & 0x7fffffffU;
    const float x = prefix_number_of(size);
    float result;
    if (size > 0x41200000U) {
        result = 1.0f + (0.0f / x);
    } else if (size > 0x3f0c9f54U) {
        result = 1.0f - (2.0f / (prefix_expm1f(2.0f * x) + 2.0f));
    } else if (size > 0x3e82c578U) {
        const float t = prefix_expm1f(2.0f * x);
        result = t / (t + 2.0f);
    } else if (size >= 0x00800000U) {
        const float t = prefix_expm1f(-2.0f * x);
        result = -t / (t + 2.0f);
    } else {
        result = x;
    }
    return ((bits >> 31) != 0U) ? -result : result;
}
