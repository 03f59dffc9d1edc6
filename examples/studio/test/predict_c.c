/* The same for a model that was downloaded as C: DIGITS is that file. */
#include DIGITS
#include <stdio.h>

int main(void)
{
    unsigned char bytes[DIGITS_INPUT_LEN];
    float pixels[DIGITS_INPUT_LEN], said[DIGITS_OUTPUT_LEN];
    if (fread(bytes, 1, sizeof bytes, stdin) != sizeof bytes)
        return 2;
    for (size_t i = 0; i < sizeof bytes; i++)
        pixels[i] = (float)bytes[i] / 255.0f;
    digits_predict(pixels, said);
    for (size_t i = 0; i < DIGITS_OUTPUT_LEN; i++)
        printf("%.6f\n", said[i]);
    return 0;
}
