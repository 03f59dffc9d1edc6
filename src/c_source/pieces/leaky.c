static void prefix_leaky(float slope, size_t count, const float *x, float *y)
{
    for (size_t i = 0U; i < count; i += 1U) {
        y[i] = (x[i] > 0.0f) ? x[i] : (x[i] * slope);
    }
}
