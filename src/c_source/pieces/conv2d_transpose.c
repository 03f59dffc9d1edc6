/* A transposed convolution with strides: what comes out, `y`, is what the window slides over, and each of its outputs belongs to a
   pixel of `x`. The kernel is turned: its last place comes first. */
static void prefix_conv2d_transpose(const prefix_window *window, const prefix_kernel *kernel, const PREFIX_FLASH float *bias,
                                    bool relu, const float *x, float *y)
{
    const prefix_axis *const rows = &window->rows;
    const prefix_axis *const columns = &window->columns;
    size_t at = 0U;
    for (size_t down = 0U; down < rows->input; down += 1U) {
        for (size_t across = 0U; across < columns->input; across += 1U) {
            for (size_t filter = 0U; filter < window->filters; filter += 1U) {
                float sum = (bias != NULL) ? bias[filter] : 0.0f;
                size_t weight = 0U;
                for (size_t i = rows->size; i > 0U; i -= 1U) {
                    const size_t row = (down + rows->before) - ((i - 1U) * rows->dilation);
                    const bool meets = ((row % rows->stride) == 0U) && ((row / rows->stride) < rows->output);
                    for (size_t j = columns->size; j > 0U; j -= 1U) {
                        const size_t column = (across + columns->before) - ((j - 1U) * columns->dilation);
                        if (meets && ((column % columns->stride) == 0U) && ((column / columns->stride) < columns->output)) {
                            const size_t pixel = ((row / rows->stride) * columns->output) + (column / columns->stride);
                            for (size_t c = 0U; c < window->channels; c += 1U) {
                                const float factor = x[(pixel * window->channels) + c];
                                sum = prefix_fma(factor, prefix_weight(kernel, filter, weight + c), sum);
                            }
                        }
                        weight += window->channels;
                    }
                }
                y[at] = prefix_end(sum, relu);
                at += 1U;
            }
        }
    }
}
