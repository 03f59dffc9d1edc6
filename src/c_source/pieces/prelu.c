static void prefix_prelu(const prefix_view *view, const PREFIX_FLASH float *alpha, size_t count, const float *x, float *y)
{
    for (size_t i = 0U; i < count; i += 1U) {
        y[i] = (x[i] < 0.0f) ? (alpha[prefix_place(view, i)] * x[i]) : x[i];
    }
}
