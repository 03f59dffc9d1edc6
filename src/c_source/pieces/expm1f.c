/* exp(x) - 1 of x = k log(2) + (high - low). */
static float prefix_expm1f_reduced(float high, float low, int32_t k)
{
    const float x = high - low;
    const float c = (k == 0) ? 0.0f : ((high - x) - low);
    const float half = 0.5f * x;
    const float square = x * half;
    const float r = 1.0f + (square * (-3.3333212137e-2f + (square * 1.5807170421e-3f)));
    const float t = 3.0f - (r * half);
    float e = square * ((r - t) / (6.0f - (x * t)));
    float result;
    if (k == 0) {
        result = x - ((x * e) - square);
    } else {
        e = (x * (e - c)) - c;
        e -= square;
        if (k == -1) {
            result = (0.5f * (x - e)) - 0.5f;
        } else if (k == 1) {
            result = (x < -0.25f) ? (-2.0f * (e - (x + 0.5f))) : (1.0f + (2.0f * (x - e)));
        } else if (k == 128) {
            result = ((((x - e) + 1.0f) * 2.0f) * prefix_number_of(0x7f000000U)) - 1.0f;
        } else if ((k < 0) || (k > 56)) {
            result = (((x - e) + 1.0f) * prefix_number_of((uint32_t)(127 + k) << 23)) - 1.0f;
        } else {
            const float power = prefix_number_of((uint32_t)(127 + k) << 23);
            const float inverse = prefix_number_of((uint32_t)(127 - k) << 23);
            result = (k < 23) ? (((x - e) + (1.0f - inverse)) * power) : (((x - (e + inverse)) + 1.0f) * power);
        }
    }
    return result;
}

static float prefix_expm1f(float x)
{
    const bool minus = (prefix_bits_of(x) >> 31) != 0U;
    const uint32_t size = prefix_bits_of(x) & 0x7fffffffU;
    float result;
    if ((size > 0x7f800000U) || (size < 0x33000000U)) {
        result = x;
    } else if ((size >= 0x4195b844U) && minus) {
        result = -1.0f;
    } else if (size > 0x42b17217U) {
        result = x * prefix_number_of(0x7f000000U);
    } else if (size <= 0x3eb17218U) {
        result = prefix_expm1f_reduced(x, 0.0f, 0);
    } else if (size < 0x3f851592U) {
        result = minus ? prefix_expm1f_reduced(x + 6.9313812256e-01f, -9.0580006145e-06f, -1)
                       : prefix_expm1f_reduced(x - 6.9313812256e-01f, 9.0580006145e-06f, 1);
    } else {
        const int32_t k = (int32_t)((1.4426950216e+00f * x) + (minus ? -0.5f : 0.5f));
        result = prefix_expm1f_reduced(x - ((float)k * 6.9313812256e-01f), (float)k * 9.0580006145e-06f, k);
    }
    return result;
}
