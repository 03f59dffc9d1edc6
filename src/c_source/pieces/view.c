/* Numbers in another order, or some of them many times: the sizes of what is seen, and how far apart in what there is. */
typedef struct {
    size_t sizes[4];
    size_t strides[4];
} prefix_view;

/* Where the number that is seen at place `i` is. */
static size_t prefix_place(const prefix_view *view, size_t i)
{
    size_t left = i;
    size_t place = 0U;
    for (size_t axis = 4U; axis > 0U; axis -= 1U) {
        place += (left % view->sizes[axis - 1U]) * view->strides[axis - 1U];
        left /= view->sizes[axis - 1U];
    }
    return place;
}
