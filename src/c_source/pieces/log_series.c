/* What logf and log1pf have in common: k log(2) + c + log(1 + f). */
static float prefix_log_series(float f, float c, int32_t k)
{
    const float s = f / (2.0f + f);
    const float z = s * s;
    const float w = z * z;
    const float t1 = w * (0.40000972152f + (w * 0.24279078841f));
    const float t2 = z * (0.66666662693f + (w * 0.28498786688f));
    const float r = t2 + t1;
    const float half = (0.5f * f) * f;
    const float powers = (float)k;
    const float low = (powers * 9.0580006145e-06f) + c;
    return ((((s * (half + r)) + low) - half) + f) + (powers * 6.9313812256e-01f);
}
