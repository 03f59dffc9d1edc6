static float prefix_logf(float number)
{
    float result;
    if ((number > 0.0f) && (number <= FLT_MAX)) {
        const bool small = number < FLT_MIN;
        const uint32_t bits = prefix_bits_of(small ? (number * 33554432.0f) : number);
        const uint32_t moved = bits + (0x3f800000U - 0x3f3504f3U);
        const int32_t k = ((int32_t)(moved >> 23) - 127) - (small ? 25 : 0);
        const float f = prefix_number_of((moved & 0x7fffffU) + 0x3f3504f3U) - 1.0f;
        result = (bits == 0x3f800000U) ? 0.0f : prefix_log_series(f, 0.0f, k);
    } else if (number < 0.0f) {
        result = prefix_number_of(0x7fc00000U);
    } else if (number > FLT_MAX) {
        result = number;
    } else {
        result = (number == 0.0f) ? prefix_number_of(0xff800000U) : number;
    }
    return result;
}
