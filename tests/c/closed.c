/* A host that has closed some or all of its standard descriptors, while every call that opens a path runs, and other
 * threads print, including the library's own progress: closed FOLDER. Nothing may be written to or read from such a
 * descriptor. */

#include "paths.h"

#include <fcntl.h>
#include <pthread.h>

static int closed, landed, ended; /* closed: one bit for each of the descriptors 0, 1 and 2 */
static int batches, hold, held;   /* batches of the other model's fits; whether they are to wait, and wait */

/* Writing to or reading from such a descriptor must fail because it is closed. */
static void *use_them(void *unused)
{
    char byte = 'x';
    while (!get(&ended)) {
        const int mask = get(&closed);
        for (int i = 0; i < 3; i++)
            if (mask >> i & 1 && (write(i, "printed\n", 8) > 0 || read(i, &byte, 1) > 0) && get(&closed) == mask)
                count(&landed);
    }
    return unused;
}

static int32_t count_batches(void *unused, const mnist_progress *progress)
{
    (void)progress;
    count(&batches);
    for (; get(&hold); usleep(100))
        set(&held, 1);
    set(&held, 0);
    return unused != NULL;
}

/* Waits until the other fit has opened files and closed them. */
static void wait_for_a_batch(void)
{
    const int before = get(&batches);
    while (get(&batches) == before)
        usleep(100);
}

/* Another model's fit, which prints progress to stdout and writes checkpoints. */
static void *fit_meanwhile(void *unused)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/other", folder);
    mnist_model *other = network(8, 4, 16);
    mnist_fit_options options = three_epochs();
    options.verbose = 2;
    options.checkpoint_path = path;
    options.checkpoint_batches = 1;
    options.on_batch_end = count_batches;
    TRUE(mnist_model_compile(other, NULL, NULL) == MNIST_OK);
    while (!get(&ended))
        TRUE(mnist_model_fit(other, data, &options, NULL, NULL) == MNIST_OK);
    mnist_model_free(other);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t threads[2];
    int kept[3];
    if (argc != 2)
        return 2;
    begin(argv[1]);
    WORKS(save_weights(in("weights-before")));
    WORKS(save_model(in("model-before")));
    WORKS(fit_to(in("checkpoint-before")));
    for (int i = 0; i < 3; i++)
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
    TRUE(pthread_create(&threads[0], NULL, use_them, NULL) == 0);
    TRUE(pthread_create(&threads[1], NULL, fit_meanwhile, NULL) == 0);
    stderr = fdopen(kept[2], "w"); /* failures are printed there while 2 is closed */
    for (int mask = 1; mask < 8; mask++) {
        for (int i = 0; i < 3; i++)
            if (mask >> i & 1)
                close(i);
        wait_for_a_batch(); /* a file that was just being opened may have got a number, until it is opened again */
        set(&closed, mask);
        for (int round = 0; round < 3; round++)
            ALL_WORK();
        set(&closed, 0);
        for (set(&hold, 1); !get(&held);) /* no file is being opened while they change */
            usleep(100);
        for (int i = 0; i < 3; i++)
            TRUE(dup2(kept[i], i) == i);
        set(&hold, 0);
        TRUE(landed == 0);
        TRUE(same_files(in("weights"), in("weights-before")));
        TRUE(same_files(in("model"), in("model-before")));
        TRUE(same_files(in("checkpoint"), in("checkpoint-before")));
    }
    set(&ended, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("%d times something was written to or read from a file of the library's\n", landed);
    return end();
}
