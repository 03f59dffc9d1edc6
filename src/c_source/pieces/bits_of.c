static inline uint32_t prefix_bits_of(float number)
{
    const prefix_word word = {number};
    return word.bits;
}
