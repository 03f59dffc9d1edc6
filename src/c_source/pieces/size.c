/* |x| */
static float prefix_size(float x)
{
    return prefix_greater(x, x * -1.0f);
}
