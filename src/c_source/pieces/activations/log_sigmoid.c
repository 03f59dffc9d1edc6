static float prefix_log_sigmoid(float x)
{
    return -prefix_softplus(-x);
}
