/* A float and its bits. */
typedef union {
    float number;
    uint32_t bits;
} prefix_word;
