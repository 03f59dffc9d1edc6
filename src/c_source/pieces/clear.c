static void prefix_clear(size_t count, float *y)
{
    for (size_t i = 0U; i < count; i += 1U) {
        y[i] = 0.0f;
    }
}
