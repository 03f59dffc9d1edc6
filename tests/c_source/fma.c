
/* Random bit patterns, and numbers for which a product and a sum nearly cancel, or whose result is near the midpoint of two floats. */
static uint64_t state = 88172645463325252U;

static uint32_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static float number_of(uint32_t bits)
{
    prefix_word word;
    word.bits = bits;
    return word.number;
}

static uint32_t bits_of(float number)
{
    prefix_word word;
    word.number = number;
    return word.bits;
}

static float number(uint32_t kind)
{
    static const uint32_t special[] = {0U, 1U, 0x7fffffU, 0x800000U, 0x3f800000U, 0x3f7fffffU, 0x7f7fffffU, 0x7f800000U};
    uint32_t bits = draw();
    if (kind == 0U)
        bits = special[bits % 8U] | (bits & 0x80000000U);
    else if (kind == 1U)
        bits &= 0xfffff000U; /* few digits: ties */
    else if (kind == 2U)
        bits = (bits & 0x807fffffU) | ((120U + (bits >> 5) % 16U) << 23);
    return number_of(bits);
}

int main(void)
{
    for (int i = 0; i < 3000000; i++) {
        float a = number(draw() % 4U), b = number(draw() % 4U), c = number(draw() % 4U);
        float expected, found;
        if (draw() % 4U == 0U)
            c = -(a * b); /* the result is the product's rounding error */
        else if (draw() % 8U == 0U)
            c = number_of(bits_of(a * b) ^ (0x80000000U + (draw() % 4U)));
        expected = fmaf(a, b, c);
        found = prefix_fma(a, b, c);
        if (bits_of(expected) != bits_of(found) && (expected == expected || found == found)) {
            printf("%a * %a + %a: %a, %a\n", (double)a, (double)b, (double)c, (double)expected, (double)found);
            return 0;
        }
    }
    return 0;
}
