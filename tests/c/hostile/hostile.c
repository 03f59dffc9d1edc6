/* Every function of the header, with every argument and every field of its options wrong, one at a time: hostile FOLDER.
 * hostile FOLDER freed also passes freed objects, which a memory checker would report.
 *
 * hostile FOLDER cancelled: every function on a thread that is cancelled during the call (cancelled.h). hostile FOLDER
 * forked: every function with callbacks, with a child forked in the callback (forked.h).
 *
 * After each call: it failed if it had to, it has a message, it wrote nothing, every object is unchanged, and the same call
 * with valid arguments works. */

#define _GNU_SOURCE

#include "values.h"

#include "table.h"

enum { MOST_PLACES = 16 };

static int freed_too;
static size_t wrong_calls, good_calls, place_count;

/* The error of the calls. */
static mnist_error *error;

/* Memory for outputs, and the options. */
static uint64_t outputs[MOST_PLACES][ROOM / 8], options_bytes[1024];

/* Also used by the library: thousands of files are written, and none needs to survive a crash of the machine. */
int fsync(int file)
{
    (void)file;
    return 0;
}

/* The current call. */
static struct {
    const struct function *function;
    size_t chosen[MOST_PLACES]; /* the valid candidates */
    const struct place *place;  /* what is wrong: a parameter */
    const struct place *field;  /* or one of its fields */
    const struct wrong *wrong;  /* NULL: nothing is wrong */
} now;

static void complain(const char *what, value result, const char *message)
{
    failures++;
    fprintf(stderr, "%s, %s%s%s = %s (%#llx): %s; result %lld, \"%s\"\n", now.function->name,
            now.place ? now.place->name : "good arguments", now.field ? "." : "", now.field ? now.field->name : "",
            now.wrong ? now.wrong->what : "-", now.wrong ? (unsigned long long)now.wrong->value.u : 0, what,
            (long long)(int32_t)result.u, message);
}

static int ends_in(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* The last argument of a call that reports errors. */
static int is_text(const struct function *f, size_t i)
{
    return f->result == STATUS && i == f->count - 1;
}

static const struct type *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

static const struct options *find_options(const char *name)
{
    for (size_t i = 0; i < sizeof all_options / sizeof *all_options; i++)
        if (strcmp(all_options[i].name, name) == 0)
            return &all_options[i];
    return NULL;
}

/* Called immediately before and after a call of the library. */
static void (*just_before)(void), (*just_after)(void);

/* Puts a value into a field. */
static void put(const struct place *field, value v)
{
    unsigned char *at = (unsigned char *)options_bytes + field->offset;
    const uint32_t word = (uint32_t)v.u;
    if (field->kind == REAL)
        memcpy(at, &v.d, sizeof v.d);
    else if (field->kind == FUNCTION)
        memcpy(at, &v.f, sizeof v.f);
    else if (field->size == sizeof word)
        memcpy(at, &word, sizeof word);
    else
        memcpy(at, &v.u, sizeof v.u);
}

/* Sets more of the options. */
static void (*fill_in_more)(const struct options *options);

/* Options that use everything: callbacks, files, objects. */
static void fill_in(const struct options *options)
{
    memset(options_bytes, 0, sizeof options_bytes);
    options->init(options_bytes);
    for (size_t i = 0; i < options->count; i++) {
        const struct place *field = &options->fields[i];
        if (good_text("", field))
            continue; /* it would override others */
        if (field->kind == OBJECT || field->kind == TEXT || field->kind == FUNCTION || field->kind == USER_DATA)
            put(field, candidate("", field, 0, NULL, NULL));
        else if (strcmp(options->name, "mnist_source") == 0 && strcmp(field->name, "target_len") != 0
                 && (field->kind == NUMBER || field->kind == IN)) /* a source has no defaults */
            put(field, candidate("", field, field->kind == IN, NULL, NULL));
        else if (field->kind == OUT || is_room(field))
            put(field, candidate("", field, 0, outputs[MOST_PLACES - 1], NULL)); /* an output that no argument uses */
    }
    if (fill_in_more)
        fill_in_more(options);
}

/* The wrong value. For a freed object a new one is created, and its owner is freed just before the call. */
static value resolve(const struct wrong *wrong, void **to_free, const struct type **owner)
{
    mnist_graph *graph = NULL;
    if (wrong->type == NULL)
        return wrong->value;
    if (!wrong->freed)
        return (value){.p = object(wrong->type, wrong->variant)};
    *to_free = new_object(wrong->type, &graph);
    *owner = find_type(graph ? "mnist_graph" : wrong->type);
    const value v = {.p = *to_free};
    if (graph)
        *to_free = graph;
    return v;
}

/* Calls the function according to `now`; `text` is its error, or NULL. */
static value call(mnist_error *text)
{
    const struct function *f = now.function;
    value arguments[MOST_PLACES];
    void *to_free = NULL;
    const struct type *owner = NULL;
    int files = now.field && is_path(now.field);
    memset(outputs, 0xa5, sizeof outputs);
    for (size_t i = 0; i < f->count; i++)
        files |= !now.field && is_path(&f->places[i]);
    if (files)
        make_files(); /* before any path is created: these are valid for eight more */
    for (size_t i = 0; i < f->count; i++) {
        if (f->places[i].kind == OPTIONS)
            fill_in(find_options(f->places[i].type));
        arguments[i] = candidate(f->name, &f->places[i], now.chosen[i], outputs[i], options_bytes);
        if (is_text(f, i))
            arguments[i].p = text;
    }
    if (now.wrong) {
        const value v = resolve(now.wrong, &to_free, &owner);
        if (now.field)
            put(now.field, v);
        else
            arguments[now.place - f->places] = v;
        if (now.wrong->tail)
            ((unsigned char *)options_bytes)[now.wrong->value.u - 1] = 1;
    }
    called = 0;
    if (to_free)
        owner->free(to_free);
    if (just_before)
        just_before();
    const value result = f->call(arguments);
    if (just_after)
        just_after();
    return result;
}

static int failed(value result)
{
    switch (now.function->result) {
    case STATUS:
        return (int32_t)result.u < 0;
    case STRING:
        return result.p == NULL || *(const char *)result.p == '\0';
    case NEW_OBJECT:
        return result.p == NULL;
    case A_NUMBER:
        return result.u == 0;
    case ANY_NUMBER:
    case NOTHING:
        break;
    }
    return 0;
}

/* A readable message: one line of UTF-8 (checks only for bytes that it must not contain). */
static int is_line(const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c == '\n' || *c == '\r' || *c == '\xff' || *c == '\xfe')
            return 0;
    return *text != '\0';
}

static void check_text(value result, mnist_error *text)
{
    const char *message = mnist_error_message(text);
    char name[64];
    if (mnist_error_status(text) != (mnist_status)result.u)
        complain("the error has another status", result, message);
    if (!failed(result)) {
        if ((result.u > 0) != (*message != '\0')) /* a positive status has a message, too */
            complain(result.u > 0 ? "a positive status without a message" : "a message after success", result, message);
        return;
    }
    if (!is_line(message))
        complain("no line of text", result, message);
    snprintf(name, sizeof name, "%s`", now.field ? now.field->name : now.place ? now.place->name : "");
    if (now.wrong && now.wrong->must == MUST_FAIL && now.wrong->named && strstr(message, name) == NULL)
        complain("the message does not say where", result, message);
}

/* A failed call writes nothing, and no call writes past the end of an array. */
static void check_outputs(value result)
{
    const struct function *f = now.function;
    const int nothing = failed(result) && (f->result == STATUS || (now.wrong && now.wrong->must == MUST_FAIL));
    for (size_t i = 0; i < MOST_PLACES; i++) {
        const unsigned char *bytes = (const unsigned char *)outputs[i];
        size_t from = ROOM / 2;
        if (now.wrong && i + 1 < f->count && now.place == &f->places[i + 1] && is_room(now.place))
            from = now.wrong->value.u < ROOM / 32 ? now.wrong->value.u * f->places[i].size : from;
        const int tells = i < f->count && strcmp(f->places[i].name, "needed") == 0; /* the required capacity */
        for (size_t at = nothing && !tells ? 0 : from; at < ROOM; at++) {
            if (bytes[at] != 0xa5) {
                complain(nothing ? "an output was written" : "more was written than there is room", result, "");
                break;
            }
        }
    }
}

/* Whether the call has a graph that remembers its failure. */
static int has_graph(void)
{
    int from_many = 0;
    for (size_t i = 0; i < now.function->count; i++)
        from_many |= now.function->places[i].kind == OBJECTS;
    return from_many ? now.place && now.place->kind == TEXT : !now.place || now.place->kind != OBJECT;
}

/* A tensor gives a model or an error, and so does NULL. */
static void check_tensor(value result)
{
    mnist_model *model = NULL;
    mnist_error *text = mnist_error_new();
    if (result.p) {
        const mnist_status status = mnist_model_new(good.tensors[0], result.p, NULL, &model, text);
        if ((status < 0) != (model == NULL) || status == MNIST_ERROR_INTERNAL)
            complain("a model of this", result, mnist_error_message(text));
        mnist_model_free(model);
    } else if (has_graph()) {
        if (mnist_graph_check(good.graph, text) >= 0 || !is_line(mnist_error_message(text)))
            complain("the graph knows nothing of it", result, mnist_error_message(text));
    }
    mnist_error_free(text);
}

/* Frees the call's results. */
static void free_results(value result)
{
    const struct function *f = now.function;
    for (size_t i = 0; i < f->count; i++) {
        if (f->places[i].kind == OUT_OBJECT && !(now.wrong && now.place == &f->places[i])) {
            if (outputs[i][0] == 0xa5a5a5a5a5a5a5a5u || outputs[i][0] == 0)
                complain("no object was given", result, "");
            else if (find_type(f->places[i].type)->free)
                find_type(f->places[i].type)->free((void *)(uintptr_t)outputs[i][0]);
        }
    }
    if (f->result == NEW_OBJECT && find_type(f->returned)->free)
        find_type(f->returned)->free(result.p);
}

/* Objects that the call may have changed are checked to be unchanged, or created again. */
static void restore(value result)
{
    const struct function *f = now.function;
    for (size_t i = 0; i < f->count; i++) {
        const struct place *place = &f->places[i];
        if (is_text(f, i) && now.place == place)
            remake(place->type, 1);
        if (place->kind == OBJECTS)
            remake(place->type, 1);
        if (place->kind != OBJECT || place->constant || is_text(f, i))
            continue;
        if (f->result == STATUS && failed(result)) {
            if (strcmp(place->type, "mnist_model") == 0 && !model_is_as_saved())
                complain("the model has changed", result, "");
        } else {
            const struct wrong *wrong = now.wrong;
            const int given = wrong == NULL || (wrong->type && !wrong->freed && strcmp(wrong->type, place->type) == 0);
            const int freed = given && ends_in(f->name, "_free"), variant = wrong ? wrong->variant : 0;
            if (freed && strcmp(place->type, "mnist_dataset") == 0)
                forget_dataset(variant);
            remake(place->type, !(freed && variant == 0));
        }
    }
}

/* One call, and the checks after it. */
static value call_and_check(mnist_error *text, enum must must)
{
    const struct function *f = now.function;
    const value result = call(text);
    const int says = f->result == STATUS || f->result == STRING || f->result == NEW_OBJECT || f->result == A_NUMBER;
    const char *message = mnist_error_message(text);
    if (says && must == MUST_FAIL && !failed(result))
        complain("it must fail", result, "");
    if (says && must == MUST_WORK && failed(result))
        complain("it must work", result, message);
    if (f->result == STATUS && ((int32_t)result.u == MNIST_ERROR_INTERNAL || (int32_t)result.u == MNIST_ERROR_NETWORK))
        complain("a defect", result, message);
    if (text && f->result == STATUS && !(now.wrong && is_text(f, (size_t)(now.place - f->places))))
        check_text(result, text);
    check_outputs(result);
    if (!failed(result))
        free_results(result);
    if (f->result == NEW_OBJECT && find_type(f->returned)->free == NULL)
        check_tensor(result);
    restore(result);
    if (!all_is_well())
        complain("good calls give something else now", result, "");
    return result;
}

/* Finds valid arguments for a function: the first combination of candidates that works. */
static void find_good(void)
{
    const struct function *f = now.function;
    now.place = now.field = NULL;
    now.wrong = NULL;
    memset(now.chosen, 0, sizeof now.chosen);
    for (;; good_calls++) {
        size_t i = 0;
        if (!failed(call_and_check(error, MAY_WORK)))
            return;
        while (i < f->count && ++now.chosen[i] == candidates(&f->places[i]))
            now.chosen[i++] = 0;
        if (i == f->count)
            give_up("no good call of", f->name,
                    "add what its arguments may be to candidate in tests/c/hostile/values.h; with the last try: "
                    "see the line before");
    }
}

static void try_wrong(const struct wrong *wrong)
{
    const struct function *f = now.function;
    enum must must = wrong->must;
    const int null = strcmp(wrong->what, "NULL") == 0 && !now.field;
    if (wrong->freed && !freed_too)
        return;
    now.wrong = wrong;
    if (is_text(f, (size_t)(now.place - f->places)))
        must = MUST_WORK; /* no message is requested; the call is otherwise the same */
    for (size_t i = 0; null && i < sizeof may_be_null / sizeof *may_be_null; i++)
        if (strcmp(may_be_null[i][0], f->name) == 0 && strcmp(may_be_null[i][1], now.place->name) == 0)
            must = MUST_WORK;
    if (must == MUST_FAIL && f->result != STATUS && (null ? now.place->kind != OBJECT : now.place->kind == NUMBER))
        must = MAY_WORK; /* a function that returns a number writes as much as fits */
    const value result = call_and_check(error, must);
    const value again = call_and_check(NULL, must);
    if (f->result == STATUS && (mnist_status)result.u != (mnist_status)again.u)
        complain("another status without a text", again, "");
    wrong_calls += 2;
    now.wrong = NULL;
    call_and_check(error, MUST_WORK);
    good_calls++;
}

static void try_all(const struct place *place, const struct options *options)
{
    static struct wrong list[MOST_WRONG];
    const size_t chosen = now.place->kind == TEXT ? now.chosen[now.place - now.function->places] : 0;
    const size_t count = wrong_values(place, options, options == NULL && chosen > 0, list);
    for (size_t i = 0; i < count; i++)
        try_wrong(&list[i]);
    place_count++;
}

static void try_function(const struct function *f)
{
    now.function = f;
    find_good();
    for (size_t i = 0; i < f->count; i++) {
        now.place = &f->places[i];
        try_all(now.place, NULL);
        if (now.place->kind != OPTIONS)
            continue;
        const struct options *options = find_options(now.place->type);
        for (size_t j = 0; j < options->count; j++) {
            now.field = &options->fields[j];
            try_all(now.field, options);
        }
        now.field = NULL;
    }
}

#include "cancelled.h"
#include "forked.h"

int main(int argc, char **argv)
{
    const size_t count = sizeof functions / sizeof *functions;
    const char *how = argc > 2 ? argv[2] : "";
    if (argc < 2)
        return 2;
    folder = argv[1];
    freed_too = strcmp(how, "freed") == 0;
    if (strcmp(how, "forked") == 0)
        threads = argc > 3 ? (size_t)atoi(argv[3]) : 1;
    setenv("KERAS_HOME", in_folder("keras"), 1); /* contains mnist.npz, so nothing is downloaded */
    error = mnist_error_new();
    make_objects();
    make_arrays();
    for (size_t i = 0; i < count; i++) {
        if (strcmp(how, "cancelled") == 0)
            try_cancelled(&functions[i]);
        else if (strcmp(how, "forked") == 0)
            try_forked(&functions[i]);
        else
            try_function(&functions[i]);
    }
#ifdef STEPS
    if (strcmp(how, "cancelled") == 0)
        try_each_instruction();
#endif
    free_objects();
    mnist_error_free(error);
    free(long_text);
    if (strcmp(how, "cancelled") == 0)
        printf("%zu functions, %zu threads cancelled in them, %zu failures\n", count, cancelled_threads, failures);
    else if (strcmp(how, "forked") == 0)
        printf("%zu functions of the host's, %zu children forked off in them, %zu failures\n", place_count, children, failures);
    else
        printf("%zu functions, %zu arguments and options: %zu wrong calls, %zu good ones, %zu failures\n", count,
               place_count, wrong_calls, good_calls, failures);
    return failures != 0;
}
