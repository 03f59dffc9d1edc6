/* How a * b + c is rounded once: 1 by the processor, 2 in double, 3 in integers. */
#if !defined(PREFIX_FMA)
#if defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA) || defined(__FMA__)
#define PREFIX_FMA 1
#elif (DBL_MANT_DIG == 53) && (!defined(__arm__) || (defined(__ARM_FP) && ((__ARM_FP & 8) != 0)))
#define PREFIX_FMA 2
#else
#define PREFIX_FMA 3
#endif
#endif

#if PREFIX_FMA == 1

static inline float prefix_fma(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}

#elif PREFIX_FMA == 2

/* The product is exact in double. Of its sum with c the error is known (Knuth's two-sum), and with that the sum is rounded
   to odd, so that it may be rounded once more to a float. */
static inline float prefix_fma(float a, float b, float c)
{
    union {
        double number;
        uint64_t bits;
    } sum;
    const double product = (double)a * (double)b;
    const double addend = (double)c;
    double rest;
    double error;
    sum.number = product + addend;
    rest = sum.number - product;
    error = (product - (sum.number - rest)) + (addend - rest);
    if (((error > 0.0) || (error < 0.0)) && ((sum.bits & 1U) == 0U)) {
        sum.bits += ((error > 0.0) == (sum.number > 0.0)) ? UINT64_C(1) : UINT64_MAX;
    }
    return (float)sum.number;
}

#else

/* bits * 2^exponent, the highest bit that is set being bit 62; 0 has no bits. */
typedef struct {
    uint64_t bits;
    int32_t exponent;
    bool minus;
} prefix_wide;

static prefix_wide prefix_highest(prefix_wide x)
{
    if (x.bits != 0U) {
        while (x.bits < (UINT64_C(1) << 54)) {
            x.bits <<= 8;
            x.exponent -= 8;
        }
        while (x.bits < (UINT64_C(1) << 62)) {
            x.bits <<= 1;
            x.exponent -= 1;
        }
    }
    return x;
}

/* Shifted to the right, the lowest bit telling of all that are lost. */
static uint64_t prefix_shifted(uint64_t bits, int32_t by)
{
    uint64_t shifted = bits;
    if (by > 62) {
        shifted = (bits != 0U) ? 1U : 0U;
    } else if (by > 0) {
        const uint64_t lost = bits & ((UINT64_C(1) << by) - 1U);
        shifted = (bits >> by) | ((lost != 0U) ? 1U : 0U);
    } else {
        /* nothing is lost */
    }
    return shifted;
}

static prefix_wide prefix_significand(uint32_t word)
{
    const uint32_t exponent = (word >> 23) & 0xffU;
    prefix_wide x;
    x.bits = (uint64_t)(word & 0x7fffffU) | ((exponent != 0U) ? UINT64_C(0x800000) : 0U);
    x.exponent = (int32_t)((exponent != 0U) ? exponent : 1U) - 150;
    x.minus = (word >> 31) != 0U;
    return x;
}

/* The nearest float, of two that are as near the even one. */
static float prefix_rounded(prefix_wide x)
{
    const int32_t exponent = x.exponent + 62 + 127;
    const uint64_t bits = (exponent < 1) ? prefix_shifted(x.bits, 1 - exponent) : x.bits;
    const uint64_t rest = bits & ((UINT64_C(1) << 39) - 1U);
    const uint64_t half = UINT64_C(1) << 38;
    prefix_word word;
    word.bits = (uint32_t)(bits >> 39);
    if ((rest > half) || ((rest == half) && ((word.bits & 1U) != 0U))) {
        word.bits += 1U;
    }
    if (exponent >= 255) {
        word.bits = 0x7f800000U;
    } else if (exponent > 1) {
        word.bits += (uint32_t)(exponent - 1) << 23;
    } else {
        /* the highest bit, if it is there, is the exponent */
    }
    word.bits |= x.minus ? 0x80000000U : 0U;
    return word.number;
}

static float prefix_fma(float a, float b, float c)
{
    const prefix_word words[3] = {{a}, {b}, {c}};
    const prefix_wide factor = prefix_significand(words[1].bits);
    prefix_wide product = prefix_significand(words[0].bits);
    prefix_wide sum = prefix_significand(words[2].bits);
    float result;
    product.bits *= factor.bits;
    product.exponent += factor.exponent;
    product.minus = product.minus != factor.minus;
    if (((words[0].bits & 0x7f800000U) == 0x7f800000U) || ((words[1].bits & 0x7f800000U) == 0x7f800000U)) {
        result = (a * b) + c; /* no number, or an infinite one: nothing is rounded */
    } else if ((words[2].bits & 0x7f800000U) == 0x7f800000U) {
        result = c;
    } else if (product.bits == 0U) {
        /* -0 only where both are -0 */
        result = (((words[2].bits << 1) == 0U) && (product.minus != sum.minus)) ? 0.0f : c;
    } else {
        product = prefix_highest(product);
        sum = prefix_highest(sum);
        if (sum.bits == 0U) {
            sum.exponent = product.exponent;
        }
        if (product.exponent >= sum.exponent) {
            sum.bits = prefix_shifted(sum.bits, product.exponent - sum.exponent);
            sum.exponent = product.exponent;
        } else {
            product.bits = prefix_shifted(product.bits, sum.exponent - product.exponent);
        }
        if ((product.minus == sum.minus) || (sum.bits == 0U)) {
            sum.bits += product.bits;
            sum.minus = product.minus;
        } else if (product.bits > sum.bits) {
            sum.bits = product.bits - sum.bits;
            sum.minus = product.minus;
        } else {
            sum.bits -= product.bits;
            sum.minus = sum.minus && (sum.bits != 0U);
        }
        if ((sum.bits >> 63) != 0U) {
            sum.bits = prefix_shifted(sum.bits, 1);
            sum.exponent += 1;
        }
        sum = prefix_highest(sum);
        result = (sum.bits == 0U) ? 0.0f : prefix_rounded(sum);
    }
    return result;
}

#endif
