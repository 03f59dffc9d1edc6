/* The greater of two, of equals the first; what is no number if either is. */
static inline float prefix_greater(float a, float b)
{
    return ((b > a) || (b != b)) ? b : a;
}
