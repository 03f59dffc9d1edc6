/* The types of the tables of functions that tests/hostile.rs generates. */

#ifndef KINDS_H
#define KINDS_H

#include <mnist.h>

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An argument of any type. */
typedef union {
    uint64_t u;
    double d;
    void *p;
    void (*f)(void);
} value;

enum kind {
    OBJECT,      /* mnist_X * */
    OBJECTS,     /* mnist_X *const * */
    OUT_OBJECT,  /* mnist_X ** */
    OUT,         /* an array or variable that is written */
    IN,          /* an array that is read */
    ARRAY,       /* const mnist_array * */
    PROGRESS,    /* const mnist_progress * */
    TEXT,        /* const char * */
    OPTIONS,     /* a struct that begins with struct_size */
    STRUCT_SIZE, /* the field struct_size */
    NUMBER,      /* an integer */
    CONSTANT,    /* an integer with named values */
    REAL,        /* float or double */
    FUNCTION,    /* a pointer to a function */
    USER_DATA    /* void * */
};

/* A parameter of a function, or a field of a struct. */
struct place {
    const char *name, *type; /* the pointed-to type, or the type of a number */
    enum kind kind;
    int constant;
    size_t size;            /* of a number, or of the pointed-to object */
    size_t offset;          /* in the struct */
    const int64_t *members; /* the constants */
    size_t count;
};

struct type {
    const char *name;
    void (*free)(void *object); /* NULL: it belongs to another object */
};

struct options {
    const char *name;
    size_t size;
    void (*init)(void *options);
    const struct place *fields;
    size_t count;
};

/* What a function returns. */
enum result { NOTHING, STATUS, A_NUMBER, ANY_NUMBER, STRING, NEW_OBJECT };

struct function {
    const char *name;
    value (*call)(const value *arguments);
    enum result result;
    const char *returned; /* the pointed-to type */
    const struct place *places;
    size_t count;
};

static size_t failures;

static void expect(int holds, const char *what)
{
    if (!holds) {
        failures++;
        fprintf(stderr, "not so: %s\n", what);
    }
}
#define EXPECT(condition) expect(condition, #condition)

/* A check has failed, and the test cannot continue. */
static void give_up(const char *what, const char *name, const char *advice)
{
    fprintf(stderr, "%s %s: %s\n", what, name, advice);
    exit(EXIT_FAILURE);
}

#endif
