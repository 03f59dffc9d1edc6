/* Charts and images of a training as SVG files, which a browser shows in its light or dark mode. */

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

/* A misclassified digit. */
typedef struct misread {
    float pixels[SIDE * SIDE]; /* 0 to 1 */
    size_t index;              /* among the test images */
    unsigned label, predicted;
    float probability; /* of the predicted class */
} misread;

/* Charts side by side. */
void draw_charts(FILE *file, const char *title, const chart *charts, size_t count);

/* The confusion matrix: rows are true labels, columns predicted classes; `counts` is [classes, classes]. */
void draw_confusion(FILE *file, const char *title, const uint64_t *counts, size_t classes);

/* A sheet of digits, each with its true and its predicted class. */
void draw_misread(FILE *file, const char *title, const misread *digits, size_t count);

#endif
