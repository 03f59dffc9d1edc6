/* Convolution with kernels of 3 x 3 by Winograd's minimal filtering, F(4 x 4, 3 x 3) (Lavin and Gray 2015): tiles of 4 x 4
   pixels, each of which sees 6 x 6, four tiles at a time. */
static void prefix_winograd_input(const float *from, size_t step, float *to, size_t to_step)
{
    const float d[6] = {from[0], from[step], from[2U * step], from[3U * step], from[4U * step], from[5U * step]};
    const float a = prefix_fma(d[2], -4.0f, d[4]);
    const float b = prefix_fma(d[1], -4.0f, d[3]);
    const float c = d[4] - d[2];
    const float half = d[3] - d[1];
    const float e = half + half;
    to[0] = prefix_fma(d[0], 4.0f, prefix_fma(d[2], -5.0f, d[4]));
    to[to_step] = a + b;
    to[2U * to_step] = a - b;
    to[3U * to_step] = c + e;
    to[4U * to_step] = c - e;
    to[5U * to_step] = prefix_fma(d[1], 4.0f, prefix_fma(d[3], -5.0f, d[5]));
}

static void prefix_winograd_weights(const float *from, size_t step, float *to)
{
    const float g[3] = {from[0], from[step], from[2U * step]};
    const float ends = prefix_fma(g[0] + g[2], -1.0f / 6.0f, 0.0f);
    const float outer = prefix_fma(g[2], 1.0f / 6.0f, prefix_fma(g[0], 1.0f / 24.0f, 0.0f));
    to[0] = prefix_fma(g[0], 0.25f, 0.0f);
    to[1] = prefix_fma(g[1], -1.0f / 6.0f, ends);
    to[2] = prefix_fma(g[1], 1.0f / 6.0f, ends);
    to[3] = prefix_fma(g[1], 1.0f / 12.0f, outer);
    to[4] = prefix_fma(g[1], -1.0f / 12.0f, outer);
    to[5] = g[2];
}

static void prefix_winograd_output(const float *m, size_t step, float *to)
{
    const float sum = m[step] + m[2U * step];
    const float difference = m[step] - m[2U * step];
    const float far_sum = m[3U * step] + m[4U * step];
    const float far_difference = m[3U * step] - m[4U * step];
    to[0] = m[0] + (sum + far_sum);
    to[1] = prefix_fma(far_difference, 2.0f, difference);
    to[2] = prefix_fma(far_sum, 4.0f, sum);
    to[3] = m[5U * step] + prefix_fma(far_difference, 8.0f, difference);
}

/* The transformed pixels of channel `c` of the tile in row `down` and column `across`. */
static void prefix_winograd_tile(const prefix_window *window, const float *x, size_t down, size_t across, size_t c, float *to)
{
    float half[36];
    for (size_t r = 0U; r < 6U; r += 1U) {
        const size_t row = ((4U * down) + r) - window->rows.before;
        float pixels[6];
        for (size_t s = 0U; s < 6U; s += 1U) {
            const size_t column = ((4U * across) + s) - window->columns.before;
            const bool inside = (row < window->rows.input) && (column < window->columns.input);
            pixels[s] = inside ? x[(((row * window->columns.input) + column) * window->channels) + c] : 0.0f;
        }
        prefix_winograd_input(pixels, 1U, &half[r * 6U], 1U);
    }
    for (size_t s = 0U; s < 6U; s += 1U) {
        prefix_winograd_input(&half[s], 6U, &to[s], 6U);
    }
}

/* The transformed weights from channel `c` to a filter. */
static void prefix_winograd_kernel(const prefix_kernel *kernel, size_t channels, size_t filter, size_t c, float *to)
{
    float weights[9];
    float turned[18];
    for (size_t i = 0U; i < 9U; i += 1U) {
        weights[i] = prefix_weight(kernel, filter, (i * channels) + c);
    }
    for (size_t j = 0U; j < 3U; j += 1U) {
        prefix_winograd_weights(&weights[j], 3U, &turned[j * 6U]);
    }
    for (size_t r = 0U; r < 6U; r += 1U) {
        prefix_winograd_weights(&turned[r], 6U, &to[r * 6U]);
    }
}

/* `tiles` is memory for four transformed tiles, [4, channels, 36]. */
static void prefix_winograd(const prefix_window *window, const prefix_kernel *kernel, const PREFIX_FLASH float *bias, bool relu,
                            const float *x, float *tiles, float *y)
{
    const size_t height = window->rows.output;
    const size_t width = window->columns.output;
    const size_t channels = window->channels;
    const size_t filters = window->filters;
    const size_t wide = (width + 3U) / 4U;
    const size_t all = ((height + 3U) / 4U) * wide;
    for (size_t start = 0U; start < all; start += 4U) {
        const size_t count = ((all - start) > 4U) ? 4U : (all - start);
        for (size_t i = 0U; i < (count * channels); i += 1U) {
            const size_t tile = start + (i / channels);
            prefix_winograd_tile(window, x, tile / wide, tile % wide, i % channels, &tiles[i * 36U]);
        }
        for (size_t filter = 0U; filter < filters; filter += 1U) {
            float sums[144];
            for (size_t i = 0U; i < 144U; i += 1U) {
                sums[i] = 0.0f;
            }
            for (size_t c = 0U; c < channels; c += 1U) {
                float weights[36];
                prefix_winograd_kernel(kernel, channels, filter, c, weights);
                for (size_t tile = 0U; tile < count; tile += 1U) {
                    const float *const pixels = &tiles[((tile * channels) + c) * 36U];
                    for (size_t i = 0U; i < 36U; i += 1U) {
                        sums[(tile * 36U) + i] = prefix_fma(pixels[i], weights[i], sums[(tile * 36U) + i]);
                    }
                }
            }
            for (size_t tile = 0U; tile < count; tile += 1U) {
                const size_t down = 4U * ((start + tile) / wide);
                const size_t across = 4U * ((start + tile) % wide);
                float half[24];
                for (size_t r = 0U; r < 6U; r += 1U) {
                    prefix_winograd_output(&sums[(tile * 36U) + (r * 6U)], 1U, &half[r * 4U]);
                }
                for (size_t s = 0U; (s < 4U) && ((across + s) < width); s += 1U) {
                    float column[4];
                    prefix_winograd_output(&half[s], 4U, column);
                    for (size_t r = 0U; (r < 4U) && ((down + r) < height); r += 1U) {
                        const float sum = column[r] + ((bias != NULL) ? bias[filter] : 0.0f);
                        y[((((down + r) * width) + across + s) * filters) + filter] = prefix_end(sum, relu);
                    }
                }
            }
        }
    }
}
