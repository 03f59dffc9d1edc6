/* exp(x) / sum of exp, along rows of `classes` numbers that lie `behind` apart. */
static void prefix_softmax(size_t classes, size_t behind, size_t count, const float *x, float *y)
{
    for (size_t row = 0U; row < (count / classes); row += 1U) {
        const size_t first = ((row / behind) * classes * behind) + (row % behind);
        const size_t end = first + (classes * behind);
        float most = x[first];
        float sum = 0.0f;
        for (size_t i = first; i < end; i += behind) {
            most = (x[i] > most) ? x[i] : most;
        }
        for (size_t i = first; i < end; i += behind) {
            y[i] = prefix_expf(x[i] - most);
            sum += y[i];
        }
        for (size_t i = first; i < end; i += behind) {
            y[i] /= sum;
        }
    }
}
