/* Each pixel so many times down and across, or pixels in between. */
typedef struct {
    size_t first;
    size_t second;
    float share;
} prefix_between;

static prefix_between prefix_between_of(size_t i, size_t size, size_t inputs, bool bilinear)
{
    prefix_between between = {i / size, i / size, 0.0f};
    if (bilinear) {
        const float at = (((float)i + 0.5f) * (1.0f / (float)size)) - 0.5f;
        if (at < 0.0f) {
            between.first = 0U;
            between.second = 0U;
            between.share = at + 1.0f;
        } else {
            between.first = (size_t)at;
            between.share = at - (float)between.first;
            between.second = (between.share > 0.0f) ? (between.first + 1U) : between.first;
            between.second = (between.second < inputs) ? between.second : (inputs - 1U);
        }
    }
    return between;
}

static void prefix_up_sample(const prefix_window *window, bool bilinear, const float *x, float *y)
{
    const prefix_axis *const rows = &window->rows;
    const prefix_axis *const columns = &window->columns;
    size_t at = 0U;
    for (size_t i = 0U; i < rows->output; i += 1U) {
        const prefix_between down = prefix_between_of(i, rows->size, rows->input, bilinear);
        for (size_t j = 0U; j < columns->output; j += 1U) {
            const prefix_between across = prefix_between_of(j, columns->size, columns->input, bilinear);
            for (size_t c = 0U; c < window->channels; c += 1U) {
                const float a = x[(((down.first * columns->input) + across.first) * window->channels) + c];
                float result = a;
                if (bilinear) {
                    const float b = x[(((down.first * columns->input) + across.second) * window->channels) + c];
                    const float e = x[(((down.second * columns->input) + across.first) * window->channels) + c];
                    const float f = x[(((down.second * columns->input) + across.second) * window->channels) + c];
                    const float top = a + ((b - a) * across.share);
                    const float bottom = e + ((f - e) * across.share);
                    result = top + ((bottom - top) * down.share);
                }
                y[at] = result;
                at += 1U;
            }
        }
    }
}
