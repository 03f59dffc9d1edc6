/* The greatest number, or the mean, of each window; padding is not seen. */
static void prefix_pool(const prefix_window *window, bool greatest, const float *x, float *y)
{
    const prefix_axis *const rows = &window->rows;
    const prefix_axis *const columns = &window->columns;
    size_t at = 0U;
    for (size_t down = 0U; down < rows->output; down += 1U) {
        for (size_t across = 0U; across < columns->output; across += 1U) {
            for (size_t c = 0U; c < window->channels; c += 1U) {
                float all = 0.0f;
                size_t count = 0U;
                for (size_t i = 0U; i < rows->size; i += 1U) {
                    const size_t row = ((down * rows->stride) + i) - rows->before;
                    for (size_t j = 0U; j < columns->size; j += 1U) {
                        const size_t column = ((across * columns->stride) + j) - columns->before;
                        if ((row < rows->input) && (column < columns->input)) {
                            const float next = x[(((row * columns->input) + column) * window->channels) + c];
                            if (count == 0U) {
                                all = next;
                            } else if (greatest) {
                                all = prefix_greater(all, next);
                            } else {
                                all += next;
                            }
                            count += 1U;
                        }
                    }
                }
                y[at] = greatest ? all : (all / (float)count);
                at += 1U;
            }
        }
    }
}
