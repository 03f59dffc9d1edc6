static void prefix_rescale(float scale, float shift, size_t count, const float *x, float *y)
{
    for (size_t i = 0U; i < count; i += 1U) {
        y[i] = prefix_fma(x[i], scale, shift);
    }
}
