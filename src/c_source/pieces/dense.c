/* Of each of `rows` rows of `inputs` numbers, `units` sums. Rows of the kernel are summed in parts of 576, which are then added
   to the bias in order; a product with zero is left out. */
static void prefix_dense(const prefix_kernel *kernel, const PREFIX_FLASH float *bias, bool relu, size_t rows, size_t units,
                         const float *x, float *y)
{
    const size_t inputs = kernel->len;
    for (size_t row = 0U; row < rows; row += 1U) {
        for (size_t unit = 0U; unit < units; unit += 1U) {
            float sum = (bias != NULL) ? bias[unit] : 0.0f;
            for (size_t first = 0U; first < inputs; first += 576U) {
                const size_t last = ((inputs - first) > 576U) ? (first + 576U) : inputs;
                float part = 0.0f;
                for (size_t i = first; i < last; i += 1U) {
                    const float factor = x[(row * inputs) + i];
                    if (factor != 0.0f) {
                        part = prefix_fma(factor, prefix_weight(kernel, unit, i), part);
                    }
                }
                sum += part;
            }
            y[(row * units) + unit] = prefix_end(sum, relu);
        }
    }
}
