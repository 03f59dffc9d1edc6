/* Pictures of a training, as SVG: plain files that a browser shows, light or dark as it is set. */

#ifndef PICTURES_H
#define PICTURES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SIDE 28

/* A curve: `count` values, the first one at epoch 1. */
typedef struct curve {
    const char *name;
    const double *values;
    size_t count;
} curve;

/* A chart with its own axes. */
typedef struct chart {
    const char *title;
    const curve *curves; /* at most two */
    size_t count;
} chart;

/* A digit that was taken for another. */
typedef struct misread {
    float pixels[SIDE * SIDE]; /* 0 to 1 */
    size_t index;              /* among the test images */
    unsigned label, taken_for;
    float probability; /* of what it was taken for */
} misread;

/* Charts side by side. */
void draw_charts(FILE *file, const char *title, const chart *charts, size_t count);

/* How often each label (a row) was taken for each class (a column): `counts` is [classes, classes]. */
void draw_confusion(FILE *file, const char *title, const uint64_t *counts, size_t classes);

/* A sheet of digits, each with what it is and what it was taken for. */
void draw_misread(FILE *file, const char *title, const misread *digits, size_t count);

#endif
