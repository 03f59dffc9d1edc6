#include "pictures.h"

/* Every image begins with its size, its title for screen readers, and the colours. The browser selects the light or the dark
 * colours; a viewer that cannot do so shows the light ones. */
static void begin(FILE *file, int width, int height, const char *title)
{
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">\n"
            "<title>%s</title>\n"
            "<style>\n"
            "text { font: 13px system-ui, sans-serif; fill: #1c2128; }\n"
            ".page { fill: #ffffff; } .pale { fill: #59636e; } .title { font-size: 16px; font-weight: 600; } .name { font-weight: 600; }\n"
            ".tile, .none { fill: #f3f5f7; } .axis { stroke: #59636e; } .grid { stroke: #dde2e7; }\n"
            ".ink { fill: #1c2128; } .line { fill: none; stroke-width: 2; stroke-linejoin: round; }\n"
            ".a { stroke: #0b62b8; } .b { stroke: #b34700; stroke-dasharray: 6 4; } .dot-a { fill: #0b62b8; } .dot-b { fill: #b34700; }\n"
            ".right { fill: #0b62b8; } .wrong { fill: #d9580f; } .on { fill: #ffffff; }\n"
            "@media (prefers-color-scheme: dark) {\n"
            "text { fill: #e6edf3; } .page { fill: #0d1117; } .pale { fill: #9aa4ae; }\n"
            ".tile, .none { fill: #1b222b; } .axis { stroke: #9aa4ae; } .grid { stroke: #2b333d; } .ink { fill: #e6edf3; }\n"
            ".a { stroke: #6cb6ff; } .b { stroke: #ffa657; } .dot-a { fill: #6cb6ff; } .dot-b { fill: #ffa657; }\n"
            ".right { fill: #1a66b8; } .on { fill: #ffffff; }\n"
            "}\n"
            "</style>\n"
            "<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n"
            "<text class=\"title\" x=\"20\" y=\"30\">%s</text>\n",
            width, height, width, height, title, width, height, title);
}

/* The step between the ticks of an axis: 1, 2 or 5 times a power of ten, for at most `most` ticks. */
static double step_of(double span, int most)
{
    static const double steps[] = {1, 2, 5};
    double power = 1e-9;
    for (int i = 0;; i = (i + 1) % 3) {
        if (steps[i] * power * most >= span)
            return steps[i] * power;
        if (i == 2)
            power *= 10;
    }
}

/* A chart's position on the page, and the values at its edges. */
typedef struct frame {
    double left, top, width, height;
    double low, high, step; /* of the values */
    size_t epochs;
} frame;

static double x_of(const frame *f, size_t epoch) /* from 0 */
{
    return f->left + (f->epochs > 1 ? f->width * (double)epoch / (double)(f->epochs - 1) : f->width / 2);
}

static double y_of(const frame *f, double value)
{
    return f->top + f->height * (f->high - value) / (f->high - f->low);
}

/* Finite. The loss of a fit that diverges may be infinite or NaN. */
static int is_finite(double value)
{
    return value - value == 0;
}

/* The smallest and largest value, widened to whole steps. */
static void choose_range(frame *f, const chart *c)
{
    double low = 1e300, high = -1e300;
    for (size_t i = 0; i < c->count; i++)
        for (size_t j = 0; j < c->curves[i].count; j++) {
            const double value = c->curves[i].values[j];
            f->epochs = j + 1 > f->epochs ? j + 1 : f->epochs;
            if (!is_finite(value))
                continue;
            low = value < low ? value : low;
            high = value > high ? value : high;
        }
    if (low > high) /* no finite value */
        low = 0, high = 1;
    f->step = step_of(high > low ? high - low : (high > 0 ? high : 1), 6);
    /* Whole steps below and above; the values are far from the limits of long. */
    f->low = f->step * (double)(long)(low / f->step);
    f->high = f->step * (double)(long)(high / f->step);
    if (f->high < high || f->high <= f->low)
        f->high += f->step;
}

static void draw_axes(FILE *file, const frame *f)
{
    const int decimals = f->step >= 1 ? 0 : f->step >= 0.1 ? 1 : f->step >= 0.01 ? 2 : f->step >= 0.001 ? 3 : 4;
    const double right = f->left + f->width, bottom = f->top + f->height;
    for (double value = f->low; value < f->high + f->step / 2; value += f->step) {
        const double y = y_of(f, value);
        fprintf(file, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", f->left, y, right);
        fprintf(file, "<text class=\"pale\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.*f</text>\n", f->left - 8, y + 4,
                decimals, value);
    }
    const size_t every = f->epochs > 12 ? (f->epochs + 9) / 10 : 1;
    for (size_t i = 0; i < f->epochs; i += every)
        fprintf(file, "<text class=\"pale\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%zu</text>\n", x_of(f, i),
                bottom + 20, i + 1);
    fprintf(file, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>\n", f->left, bottom, right);
    fprintf(file, "<text class=\"pale\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">epoch</text>\n",
            f->left + f->width / 2, bottom + 40);
}

static void draw_curve(FILE *file, const frame *f, const curve *c, char which)
{
    char next = 'M'; /* move to the first point, and past a gap */
    fprintf(file, "<path class=\"line %c\" d=\"", which);
    for (size_t i = 0; i < c->count; i++) {
        if (is_finite(c->values[i]))
            fprintf(file, "%c%.1f %.1f", next, x_of(f, i), y_of(f, c->values[i]));
        next = is_finite(c->values[i]) ? 'L' : 'M';
    }
    fprintf(file, "\"/>\n");
    for (size_t i = 0; i < c->count; i++)
        if (is_finite(c->values[i]))
            fprintf(file,
                    "<circle class=\"dot-%c\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"><title>%s, epoch %zu: %.4f</title></circle>\n",
                    which, x_of(f, i), y_of(f, c->values[i]), c->name, i + 1, c->values[i]);
}

void draw_charts(FILE *file, const char *title, const chart *charts, size_t count)
{
    const int width = 430, height = 400;
    begin(file, (int)count * width + 20, height, title);
    for (size_t i = 0; i < count; i++) {
        frame f = {(double)i * width + 70, 100, width - 90, height - 160, 0, 1, 1, 0};
        choose_range(&f, &charts[i]);
        fprintf(file, "<text class=\"name\" x=\"%.1f\" y=\"62\">%s</text>\n", f.left, charts[i].title);
        draw_axes(file, &f);
        for (size_t j = 0; j < charts[i].count && j < 2; j++) {
            const char which = j ? 'b' : 'a';
            const double x = f.left + 130 * (double)j;
            fprintf(file, "<path class=\"line %c\" d=\"M%.1f 80h26\"/><text x=\"%.1f\" y=\"84\">%s</text>\n", which, x, x + 32,
                    charts[i].curves[j].name);
            draw_curve(file, &f, &charts[i].curves[j], which);
        }
    }
    fprintf(file, "</svg>\n");
}

/* Square root by Newton's method, from above, so that libm is not needed. */
static double root(double x)
{
    double r = 1;
    for (int i = 0; i < 20; i++)
        r = (r + x / r) / 2;
    return r;
}

static void draw_cell(FILE *file, int x, int y, int size, uint64_t count, double share, int is_right)
{
    if (count == 0) {
        fprintf(file, "<rect class=\"none\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", x, y, size - 2, size - 2);
        return;
    }
    /* The square root makes small counts visible; the opacity is limited so that the text remains readable. */
    const double strength = is_right ? 1 : 0.12 + 2.0 * root(share);
    fprintf(file, "<rect class=\"%s\" fill-opacity=\"%.2f\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>",
            is_right ? "right" : "wrong", is_right ? 1 : strength > 0.7 ? 0.7 : strength, x, y, size - 2, size - 2);
    fprintf(file, "<text%s x=\"%d\" y=\"%d\" text-anchor=\"middle\">%llu</text>\n", is_right ? " class=\"on\"" : "",
            x + size / 2 - 1, y + size / 2 + 4, (unsigned long long)count);
}

void draw_confusion(FILE *file, const char *title, const uint64_t *counts, size_t classes)
{
    const int size = 50, left = 80, top = 100, all = size * (int)classes;
    begin(file, left + all + 80, top + all + 30, title);
    fprintf(file, "<text class=\"pale\" x=\"%d\" y=\"64\" text-anchor=\"middle\">predicted</text>\n", left + all / 2);
    fprintf(file, "<text class=\"pale\" transform=\"translate(30 %d) rotate(-90)\" text-anchor=\"middle\">true</text>\n",
            top + all / 2);
    fprintf(file, "<text class=\"pale\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">correct</text>\n", left + all + 36, top - 12);
    for (size_t row = 0; row < classes; row++) {
        const int y = top + size * (int)row, middle = size / 2 - 1;
        uint64_t sum = 0;
        for (size_t column = 0; column < classes; column++)
            sum += counts[row * classes + column];
        fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%zu</text>", left - 18, y + size / 2 + 4, row);
        fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%zu</text>\n", left + size * (int)row + middle, top - 12,
                row);
        for (size_t column = 0; column < classes; column++) {
            const uint64_t count = counts[row * classes + column];
            draw_cell(file, left + size * (int)column, y, size, count, sum ? (double)count / (double)sum : 0, row == column);
        }
        if (sum > 0)
            fprintf(file, "<text class=\"pale\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%.1f %%</text>\n", left + all + 36,
                    y + size / 2 + 4, 100.0 * (double)counts[row * classes + row] / (double)sum);
    }
    fprintf(file, "</svg>\n");
}

/* A digit: for each of 15 grey levels, one path with all runs of pixels of that level. */
static void draw_digit(FILE *file, const float *pixels)
{
    for (int strength = 1; strength <= 15; strength++) {
        int open = 0;
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                int run = 0;
                while (x + run < SIDE && (int)(pixels[y * SIDE + x + run] * 15.0f + 0.5f) == strength)
                    run++;
                if (run == 0)
                    continue;
                if (!open++)
                    fprintf(file, "<path fill-opacity=\"%.2f\" d=\"", strength / 15.0);
                fprintf(file, "M%d %dh%dv1h-%dz", x, y, run, run);
                x += run;
            }
        if (open)
            fprintf(file, "\"/>");
    }
}

void draw_misread(FILE *file, const char *title, const misread *digits, size_t count)
{
    const int across = 10, width = 92, height = 112, scale = 3, rows = ((int)count + across - 1) / across;
    begin(file, across * width + 32, rows * height + 60, title);
    for (size_t i = 0; i < count; i++) {
        const misread *d = &digits[i];
        const int x = 20 + (int)(i % 10) * width, y = 50 + (int)(i / 10) * height;
        fprintf(file, "<g transform=\"translate(%d %d)\"><title>test image %zu: true %u, predicted %u (%.1f %%)</title>", x, y,
                d->index, d->label, d->predicted, 100.0 * (double)d->probability);
        fprintf(file, "<rect class=\"tile\" width=\"%d\" height=\"%d\"/>", SIDE * scale, SIDE * scale);
        fprintf(file, "<g class=\"ink\" transform=\"scale(%d)\" shape-rendering=\"crispEdges\">", scale);
        draw_digit(file, d->pixels);
        fprintf(file, "</g><text x=\"0\" y=\"%d\">%u &#8594; %u</text>", SIDE * scale + 16, d->label, d->predicted);
        fprintf(file, "<text class=\"pale\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%.0f %%</text></g>\n", SIDE * scale,
                SIDE * scale + 16, 100.0 * (double)d->probability);
    }
    fprintf(file, "</svg>\n");
}
