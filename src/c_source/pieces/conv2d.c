/* A convolution. Where the window lies outside of the image there are zeros; `padded` says whether they are in the sums. */
static void prefix_conv2d(const prefix_window *window, const prefix_kernel *kernel, const PREFIX_FLASH float *bias, bool relu,
                          bool padded, const float *x, float *y)
{
    const prefix_axis *const rows = &window->rows;
    const prefix_axis *const columns = &window->columns;
    const size_t channels = window->channels / window->groups;
    const size_t filters = window->filters / window->groups;
    size_t at = 0U;
    for (size_t down = 0U; down < rows->output; down += 1U) {
        for (size_t across = 0U; across < columns->output; across += 1U) {
            for (size_t filter = 0U; filter < window->filters; filter += 1U) {
                const size_t group = (filter / filters) * channels;
                float sum = (bias != NULL) ? bias[filter] : 0.0f;
                size_t weight = 0U;
                for (size_t i = 0U; i < rows->size; i += 1U) {
                    const size_t row = ((down * rows->stride) + (i * rows->dilation)) - rows->before;
                    for (size_t j = 0U; j < columns->size; j += 1U) {
                        const size_t column = ((across * columns->stride) + (j * columns->dilation)) - columns->before;
                        if ((row < rows->input) && (column < columns->input)) {
                            const float *const pixel = &x[(((row * columns->input) + column) * window->channels) + group];
                            for (size_t c = 0U; c < channels; c += 1U) {
                                sum = prefix_fma(pixel[c], prefix_weight(kernel, filter, weight + c), sum);
                            }
                        } else if (padded) {
                            for (size_t c = 0U; c < channels; c += 1U) {
                                sum = prefix_fma(0.0f, prefix_weight(kernel, filter, weight + c), sum);
                            }
                        } else {
                            /* nothing is there */
                        }
                        weight += channels;
                    }
                }
                y[at] = prefix_end(sum, relu);
                at += 1U;
            }
        }
    }
}
