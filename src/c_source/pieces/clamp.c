static inline float prefix_clamp(float x, float least, float most)
{
    const float bounded = (x < least) ? least : x;
    return (bounded > most) ? most : bounded;
}
