static void prefix_divide(float by, size_t count, float *y)
{
    for (size_t i = 0U; i < count; i += 1U) {
        y[i] /= by;
    }
}
