/* The square root, correctly rounded: of the significand with 26 more bits, a bit of the root at a time. */
static float prefix_sqrt(float x)
{
    float root = x;
    if ((x > 0.0f) && (x <= FLT_MAX)) {
        const float whole = (x < FLT_MIN) ? (x * 16777216.0f) : x;
        const uint32_t bits = prefix_bits_of(whole);
        const uint32_t exponent = (bits >> 23) + 1U; /* even for numbers from 1 to 2, biased by 128 */
        uint64_t rest = (uint64_t)((bits & 0x7fffffU) | 0x800000U) << (((exponent & 1U) != 0U) ? 26 : 25);
        uint64_t found = 0U;
        for (uint64_t bit = UINT64_C(1) << 48; bit != 0U; bit >>= 2) {
            const uint64_t next = found + bit;
            found >>= 1;
            if (rest >= next) {
                rest -= next;
                found += bit;
            }
        }
        /* 25 bits, of which the last one rounds: no root lies in the middle between two floats. */
        root = prefix_number_of((((exponent >> 1) + 62U) << 23) + (uint32_t)((found + 1U) >> 1));
        root = (x < FLT_MIN) ? (root / 4096.0f) : root;
    } else if (x < 0.0f) {
        root = prefix_number_of(0x7fc00000U);
    } else {
        /* 0, infinite, or no number */
    }
    return root;
}
