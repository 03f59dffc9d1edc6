/* The logarithm of softmax, along rows of `classes` numbers. */
static void prefix_log_softmax(size_t classes, size_t count, const float *x, float *y)
{
    for (size_t first = 0U; first < count; first += classes) {
        float most = x[first];
        float sum = 0.0f;
        float logarithm;
        for (size_t i = first; i < (first + classes); i += 1U) {
            most = (x[i] > most) ? x[i] : most;
        }
        for (size_t i = first; i < (first + classes); i += 1U) {
            sum += prefix_expf(x[i] - most);
        }
        logarithm = prefix_logf(sum);
        for (size_t i = first; i < (first + classes); i += 1U) {
            y[i] = (x[i] - most) - logarithm;
        }
    }
}
