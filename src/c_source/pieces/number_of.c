static inline float prefix_number_of(uint32_t bits)
{
    prefix_word word;
    word.bits = bits;
    return word.number;
}
