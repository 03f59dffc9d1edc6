/* A kernel: `len` weights for each output channel, one channel after the other, in steps of that channel's scale. */
typedef struct {
    const PREFIX_FLASH int8_t *weights;
    const PREFIX_FLASH float *scales;
    size_t len;
} prefix_kernel;

static inline float prefix_weight(const prefix_kernel *kernel, size_t channel, size_t i)
{
    return (float)kernel->weights[(channel * kernel->len) + i] * kernel->scales[channel];
}
