/* (x - mean) * scale + beta of each channel; `behind` numbers of a channel lie side by side. */
static void prefix_normalize(const PREFIX_FLASH float *mean, const PREFIX_FLASH float *scale, const PREFIX_FLASH float *beta,
                             bool relu, size_t channels, size_t behind, size_t count, const float *x, float *y)
{
    for (size_t i = 0U; i < count; i += 1U) {
        const size_t c = (i / behind) % channels;
        y[i] = prefix_end(prefix_fma(x[i] - mean[c], scale[c], (beta != NULL) ? beta[c] : 0.0f), relu);
    }
}
