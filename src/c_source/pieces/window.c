/* A window along an axis: its place p of output o meets the input o * stride + p * dilation - before, if there is one. */
typedef struct {
    size_t input;
    size_t output;
    size_t size;
    size_t stride;
    size_t dilation;
    size_t before;
} prefix_axis;

/* A window over images. */
typedef struct {
    prefix_axis rows;
    prefix_axis columns;
    size_t channels;
    size_t filters;
    size_t groups;
} prefix_window;
