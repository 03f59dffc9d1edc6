/* 2^n times x, for |n| up to 150. */
static float prefix_scalbnf(float x, int32_t n)
{
    float scaled = x;
    int32_t left = n;
    if (left > 127) {
        scaled *= prefix_number_of(0x7f000000U);
        left -= 127;
    } else if (left < -126) {
        scaled *= prefix_number_of(0x0c800000U);
        left += 102;
    } else {
        /* one factor does it */
    }
    return scaled * prefix_number_of((uint32_t)(left + 127) << 23);
}

static float prefix_expf(float number)
{
    const bool minus = (prefix_bits_of(number) >> 31) != 0U;
    const uint32_t size = prefix_bits_of(number) & 0x7fffffffU;
    float result;
    if (size > 0x7f800000U) {
        result = number;
    } else if ((size >= 0x42b17218U) && !minus) {
        result = number * prefix_number_of(0x7f000000U);
    } else if ((size >= 0x42cff1b5U) && minus) {
        result = 0.0f;
    } else if (size <= 0x39000000U) {
        result = 1.0f + number;
    } else {
        int32_t k = 0;
        float high = number;
        float low = 0.0f;
        float x = number;
        float square;
        float c;
        if (size > 0x3eb17218U) {
            if (size > 0x3f851592U) {
                k = (int32_t)((1.4426950216e+00f * number) + (minus ? -0.5f : 0.5f));
            } else {
                k = minus ? -1 : 1;
            }
            high = number - ((float)k * 6.9314575195e-01f);
            low = (float)k * 1.4286067653e-06f;
            x = high - low;
        }
        square = x * x;
        c = x - (square * (1.6666625440e-1f + (square * -2.7667332906e-3f)));
        result = 1.0f + ((((x * c) / (2.0f - c)) - low) + high);
        result = (k == 0) ? result : prefix_scalbnf(result, k);
    }
    return result;
}
