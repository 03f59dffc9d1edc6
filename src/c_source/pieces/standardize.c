/* (x - mean) / deviation, or the way back; `repeat` numbers side by side have the same. */
static void prefix_standardize(const PREFIX_FLASH float *means, const PREFIX_FLASH float *deviations, bool back, size_t size,
                               size_t repeat, size_t count, const float *x, float *y)
{
    for (size_t i = 0U; i < count; i += 1U) {
        const size_t at = (i / repeat) % size;
        y[i] = back ? (means[at] + (x[i] * deviations[at])) : ((x[i] - means[at]) / deviations[at]);
    }
}
