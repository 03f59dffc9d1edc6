static float prefix_sparse_plus(float x)
{
    float result = x;
    if (x <= -1.0f) {
        result = 0.0f;
    } else if (x < 1.0f) {
        result = (0.25f * (x + 1.0f)) * (x + 1.0f);
    } else {
        /* x itself */
    }
    return result;
}
