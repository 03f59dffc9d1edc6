/* What a sum is at the end. */
static inline float prefix_end(float sum, bool relu)
{
    return relu ? prefix_relu(sum) : sum;
}
