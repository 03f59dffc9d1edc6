/* Rows of `len` numbers, each so far from the next. */
static void prefix_copy_rows(size_t rows, size_t len, size_t step, const float *x, size_t to_step, float *y)
{
    for (size_t row = 0U; row < rows; row += 1U) {
        for (size_t i = 0U; i < len; i += 1U) {
            y[(row * to_step) + i] = x[(row * step) + i];
        }
    }
}
