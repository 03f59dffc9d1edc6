/* The training data of both clients. */

#include <stddef.h>
#include <stdint.h>

enum { COUNT = 512, SIDE = 8, CLASSES = 4 };

static uint8_t pixels[COUNT * SIDE * SIDE], labels[COUNT];

/* Noise with two bright rows, whose position depends on the label. */
static void draw(void)
{
    uint32_t state = 1;
    size_t i, p;
    for (i = 0; i < COUNT; i++) {
        labels[i] = (uint8_t)(i % CLASSES);
        for (p = 0; p < SIDE * SIDE; p++) {
            state = state * 1664525u + 1013904223u;
            pixels[i * SIDE * SIDE + p] = (uint8_t)((state >> 25) + (p / SIDE / 2 == labels[i] ? 128 : 0));
        }
    }
}
