/* The folder given to a test program, and the files in it. */

#ifndef FOLDER_H
#define FOLDER_H

#include <stdio.h>

static const char *folder;

/* The path of a file in the folder; valid until the sixty-fourth call after this one. */
static const char *in(const char *name)
{
    static char paths[64][1024];
    static unsigned next;
    char *path = paths[__atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST) % 64];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* The size of a file in bytes; -1 if it does not exist. */
static inline long file_size(const char *path)
{
    FILE *file = fopen(path, "rb");
    const long size = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (file)
        fclose(file);
    return size;
}

/* Whether two files have the same bytes. */
static inline int same_files(const char *a, const char *b)
{
    FILE *x = fopen(a, "rb"), *y = fopen(b, "rb");
    int same = x && y, c = 0;
    while (same && c != EOF)
        same = (c = getc(x)) == getc(y);
    if (x)
        fclose(x);
    if (y)
        fclose(y);
    return same;
}

#endif
