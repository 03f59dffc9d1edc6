/* A float and its bits. */
typedef union {
    float number;
    uint32_t bits;
} prefix_word;

static inline uint32_t prefix_bits_of(float number)
{
    prefix_word word;
    word.number = number;
    return word.bits;
}

static inline float prefix_number_of(uint32_t bits)
{
    prefix_word word;
    word.bits = bits;
    return word.number;
}
