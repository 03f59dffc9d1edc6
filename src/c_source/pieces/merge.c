/* What becomes of each number of `y` and the one of `x` that is seen at its place. */
static void prefix_merge(float (*function)(float a, float b), const prefix_view *view, size_t count, const float *x, float *y)
{
    for (size_t i = 0U; i < count; i += 1U) {
        y[i] = function(y[i], x[prefix_place(view, i)]);
    }
}
