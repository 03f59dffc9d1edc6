/* A function of each number. */
static void prefix_map(float (*function)(float x), size_t count, const float *x, float *y)
{
    for (size_t i = 0U; i < count; i += 1U) {
        y[i] = function(x[i]);
    }
}
