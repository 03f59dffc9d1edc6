/* x from `threshold` to `most`, below that slope * (x - threshold). */
static void prefix_bounded_relu(float slope, float threshold, float most, size_t count, const float *x, float *y)
{
    for (size_t i = 0U; i < count; i += 1U) {
        float result = x[i];
        if (result >= most) {
            result = most;
        } else if (result > threshold) {
            /* it stays */
        } else {
            result = slope * (result - threshold);
        }
        y[i] = result;
    }
}
