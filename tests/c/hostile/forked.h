/* Children forked inside a callback. In the child the call that ran the callback fails with MNIST_ERROR_STATE, and nothing
 * is written: no file, no text. In the parent the call continues. All processes have the same process number here. */

#ifndef FORKED_H
#define FORKED_H

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_TIMES = 40 };

static size_t children;

/* Which call of the callback forks, and the number of calls so far. */
static size_t fork_at, times;

/* The state of the file that a fit writes, at the time of the fork. */
static struct stat file_before;

pid_t getpid(void)
{
    return 4711;
}

static struct stat look_at_file(void)
{
    struct stat found;
    memset(&found, 0, sizeof found);
    (void)!stat(in_folder("new"), &found);
    return found;
}

/* Forks at the selected call; the parent waits for its child. */
static void maybe_fork(void)
{
    look();
    if (++times != fork_at)
        return;
    fflush(stdout);
    file_before = look_at_file();
    const pid_t child = fork();
    if (child == 0) {
        in_child = 1;
        alarm(60); /* ends a child that hangs */
        return;
    }
    int status = -1;
    children++;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        failures++;
        fprintf(stderr, "%s, %s, forked at its call %zu: the child ended with %#x\n", now.function->name,
                now.field ? now.field->name : now.place->name, fork_at, (unsigned)status);
    }
}

static void forking_write(void *user_data, const char *text, size_t len)
{
    (void)user_data, (void)text, (void)len;
    maybe_fork();
}

static int32_t forking_callback(void *user_data, const mnist_progress *progress)
{
    (void)user_data, (void)progress;
    maybe_fork();
    return 0;
}

/* The checks after the child's call. */
static void end_child(value result)
{
    float probabilities[CLASSES];
    const struct stat after = look_at_file();
    if (!in_child)
        return;
    if ((int32_t)result.u != MNIST_ERROR_STATE || !strstr(mnist_error_message(error), "forked"))
        complain("not the status of a child", result, mnist_error_message(error));
    if (after.st_ino != file_before.st_ino || after.st_mtime != file_before.st_mtime || after.st_size != file_before.st_size)
        complain("the child has written a file", result, "");
    EXPECT(mnist_model_predict(good.model, first.pixels[0], 1, probabilities, CLASSES, error) == MNIST_ERROR_STATE);
    mnist_model_free(good.model);
    good.model = new_model(); /* a model of its own */
    EXPECT(mnist_model_predict(good.model, first.pixels[0], 1, probabilities, CLASSES, error) == MNIST_OK);
    _exit(failures != 0);
}

/* The options with which callbacks are called and files are written. */
static const struct {
    const char *name;
    uint64_t number;
} busy[] = {{"verbose", 1}, {"epochs", 2}, {"batch_size", 4}, {"checkpoint_batches", 1}, {"checkpoint_epochs", 1}};

static void fill_in_busy(const struct options *options)
{
    for (size_t i = 0; i < options->count; i++)
        for (size_t j = 0; j < sizeof busy / sizeof *busy; j++)
            if (strcmp(options->fields[i].name, busy[j].name) == 0)
                put(&options->fields[i], (value){.u = busy[j].number});
}

static void call_and_fork(const struct place *argument, const struct place *field)
{
    const value function = {.f = strcmp((field ? field : argument)->type, "mnist_write_fn") == 0
                                     ? (void (*)(void))forking_write
                                     : (void (*)(void))forking_callback};
    struct wrong forking = {.what = "forks", .must = MUST_WORK, .value = function};
    const size_t before = children;
    now.place = argument;
    now.field = field;
    fill_in_more = fill_in_busy;
    stop_at = SIZE_MAX;
    for (fork_at = 1, times = MOST_TIMES; fork_at <= times && fork_at < MOST_TIMES; fork_at++) {
        now.wrong = &forking;
        times = 0;
        const value result = call(error);
        end_child(result);
        EXPECT(!failed(result));
        now.wrong = NULL;
        free_results(result);
        restore(result);
    }
    fill_in_more = NULL;
    if (children == before)
        give_up("nothing calls", field ? field->name : argument->name, "see `busy` in tests/c/hostile/forked.h");
    place_count++;
    now.place = now.field = NULL;
}

static void try_forked(const struct function *f)
{
    int calls_back = 0;
    now.function = f;
    for (size_t i = 0; i < f->count; i++)
        calls_back |= f->places[i].kind == FUNCTION || f->places[i].kind == OPTIONS;
    if (!calls_back || f->result != STATUS || strcmp(f->name, "mnist_dataset_from_source") == 0)
        return; /* a source is called later: see tests/c/data.c */
    find_good();
    for (size_t i = 0; i < f->count; i++) {
        if (f->places[i].kind == FUNCTION)
            call_and_fork(&f->places[i], NULL);
        if (f->places[i].kind != OPTIONS)
            continue;
        const struct options *options = find_options(f->places[i].type);
        for (size_t j = 0; j < options->count; j++)
            if (options->fields[j].kind == FUNCTION)
                call_and_fork(&f->places[i], &options->fields[j]);
    }
}

#endif
