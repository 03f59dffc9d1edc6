/* A kernel: `len` weights for each output channel, one channel after the other. */
typedef struct {
    const PREFIX_FLASH float *weights;
    size_t len;
} prefix_kernel;

static inline float prefix_weight(const prefix_kernel *kernel, size_t channel, size_t i)
{
    return kernel->weights[(channel * kernel->len) + i];
}
