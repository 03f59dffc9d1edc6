/* The sum of what is told to it, in eight sums that take turns. */
static float prefix_sum_of(const float *sums)
{
    float sum = 0.0f;
    for (size_t i = 0U; i < 8U; i += 1U) {
        sum += sums[i];
    }
    return sum;
}

/* The numbers that are normalized together: `channels` groups' channels of rows of `pixels` pixels. Pixel p's channel c lies at
   ((p / behind) * channels + c) * behind + p % behind. */
typedef struct {
    size_t rows;
    size_t pixels;
    size_t channels;
    size_t groups;
    size_t behind;
    float epsilon;
} prefix_rows;

static size_t prefix_rows_place(const prefix_rows *rows, size_t pixel, size_t c)
{
    return ((((pixel / rows->behind) * rows->channels) + c) * rows->behind) + (pixel % rows->behind);
}

/* The mean over a group of x - shift, squared if asked for. */
static float prefix_rows_mean(const prefix_rows *rows, size_t row, size_t first, size_t channels, bool squares, float shift,
                              const float *x)
{
    float sums[8] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
    for (size_t c = 0U; c < channels; c += 1U) {
        float sum = 0.0f;
        for (size_t p = 0U; p < rows->pixels; p += 1U) {
            const float number = x[prefix_rows_place(rows, (row * rows->pixels) + p, first + c)];
            sum = squares ? prefix_fma(number - shift, number - shift, sum) : (sum + number);
        }
        sums[c % 8U] += sum;
    }
    return prefix_sum_of(sums) / (float)(channels * rows->pixels);
}

static void prefix_group_normalize(const prefix_rows *rows, const PREFIX_FLASH float *gamma, const PREFIX_FLASH float *beta,
                                   bool relu, const float *x, float *y)
{
    const size_t channels = rows->channels / rows->groups;
    for (size_t row = 0U; row < rows->rows; row += 1U) {
        for (size_t group = 0U; group < rows->groups; group += 1U) {
            const size_t first = group * channels;
            const float mean = prefix_rows_mean(rows, row, first, channels, false, 0.0f, x);
            const float variance = prefix_rows_mean(rows, row, first, channels, true, mean, x);
            const float inverse = 1.0f / prefix_sqrt(variance + rows->epsilon);
            for (size_t c = first; c < (first + channels); c += 1U) {
                const float scale = ((gamma != NULL) ? gamma[c] : 1.0f) * inverse;
                const float shift = (beta != NULL) ? beta[c] : 0.0f;
                for (size_t p = 0U; p < rows->pixels; p += 1U) {
                    const size_t place = prefix_rows_place(rows, (row * rows->pixels) + p, c);
                    y[place] = prefix_end(prefix_fma(x[place] - mean, scale, shift), relu);
                }
            }
        }
    }
}
