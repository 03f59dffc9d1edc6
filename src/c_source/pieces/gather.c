static void prefix_gather(const prefix_view *view, size_t count, const float *x, float *y)
{
    for (size_t i = 0U; i < count; i += 1U) {
        y[i] = x[prefix_place(view, i)];
    }
}
