static inline float prefix_relu(float x)
{
    return (0.0f > x) ? 0.0f : x;
}
