static float prefix_sparse_sigmoid(float x)
{
    return prefix_clamp(0.5f * (x + 1.0f), 0.0f, 1.0f);
}
