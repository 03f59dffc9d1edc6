/* When models are written, and what happens when a write fails: writes FOLDER, or writes FOLDER full for a folder on a
 * small disk that may be filled. */

#include "models.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* The number of temporary files. */
static int leftovers(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += strstr(entry->d_name, ".tmp") != NULL;
    if (dir)
        closedir(dir);
    return count;
}

/* When the file is written. */
static int32_t look(void *user_data, const mnist_progress *progress)
{
    *(int *)user_data = *(int *)user_data * 2 + exists(in("watched"));
    return progress->epoch == 1 && progress->batch == 1 ? 1 : 0;
}

static void intervals(void)
{
    static const struct {
        size_t batches, epochs;
        double seconds;
        int seen; /* whether the file exists at the end of batches 0 to 9; the tenth stops the fit */
    } cases[] = {{3, 0, 0, 0x7f}, {0, 1, 0, 0x3}, {0, 0, 1e-9, 0x1ff}, {0, 0, 3600, 0}, {0, 0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int seen = 0;
        mnist_model *model = compiled();
        mnist_fit_options options = three_epochs();
        options.checkpoint_path = in("watched");
        options.checkpoint_batches = cases[i].batches;
        options.checkpoint_epochs = cases[i].epochs;
        options.checkpoint_seconds = cases[i].seconds;
        options.on_batch_end = look;
        options.user_data = &seen;
        options.resume = 1; /* there is no file: the fit starts from the beginning */
        TRUE(mnist_model_fit(model, data, &options, NULL, error) == MNIST_CANCELLED);
        TRUE(seen == cases[i].seen);
        if (seen != cases[i].seen)
            fprintf(stderr, "  case %zu: %x\n", i, (unsigned)seen);
        ends_the_same(in("watched")); /* it was written when the fit was stopped */
        remove(in("watched"));
        mnist_model_free(model);
    }
}

/* Limits the size of files to `bytes`. */
static void limit(rlim_t bytes)
{
    struct rlimit now;
    getrlimit(RLIMIT_FSIZE, &now);
    now.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &now);
}

static int32_t no_room(void *user_data, const mnist_progress *progress)
{
    (void)user_data;
    if (progress->epoch == 1 && progress->batch == 4)
        limit(4096);
    return 0;
}

static void failing_writes(void)
{
    mnist_model *model = compiled();
    mnist_fit_options options = three_epochs();
    signal(SIGXFSZ, SIG_IGN);
    WORKS(mnist_model_save(model, in("kept"), error));
    WORKS(mnist_model_save(model, in("kept-copy"), error));
    limit(4096);
    FAILS(IO, "kept: ", mnist_model_save(model, in("kept"), error));
    FAILS(IO, "kept: ", mnist_model_save_weights(model, in("kept"), error));
    limit(RLIM_INFINITY);
    TRUE(same_files(in("kept"), in("kept-copy")));

    /* During a fit: the previous file remains, and the model keeps its weights. */
    options.checkpoint_path = in("checkpoint");
    options.checkpoint_batches = 1;
    options.on_batch_end = no_room;
    FAILS(IO, "checkpoint: ", mnist_model_fit(model, data, &options, NULL, error));
    limit(RLIM_INFINITY);
    WORKS(mnist_model_save(model, in("elsewhere"), error));
    TRUE(!same_files(in("checkpoint"), in("elsewhere")));
    ends_the_same(in("checkpoint"));
    ends_the_same(in("elsewhere"));

    /* A folder that is not writable, even for a privileged user. */
    const uid_t user = geteuid();
    TRUE(chmod(folder, 0555) == 0 && chmod(in("kept"), 0666) == 0 && (user != 0 || seteuid(65534) == 0));
    FAILS(IO, "kept: temporary file beside it", mnist_model_save(model, in("kept"), error));
    options.checkpoint_path = in("kept");
    FAILS(IO, "kept: temporary file beside it", mnist_model_fit(model, data, &options, NULL, error));
    TRUE((user != 0 || seteuid(0) == 0) && chmod(folder, 0755) == 0);
    TRUE(same_files(in("kept"), in("kept-copy")));
    TRUE(leftovers() == 0);
    mnist_model_free(model);
}

static void full_disk(void)
{
    mnist_model *model = compiled();
    char block[512] = {0};
    WORKS(mnist_model_save(model, in("kept"), error));
    FILE *filler = fopen(in("filler"), "wb");
    setbuf(filler, NULL);
    while (fwrite(block, sizeof block, 1, filler) == 1)
        ;
    fclose(filler);
    FAILS(IO, "kept: ", mnist_model_save(model, in("kept"), error));
    mnist_model *loaded = NULL;
    WORKS(mnist_model_load(in("kept"), &loaded, error));
    TRUE(leftovers() == 0);
    remove(in("filler"));
    WORKS(mnist_model_save(model, in("kept"), error));
    mnist_model_free(loaded);
    mnist_model_free(model);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    folder = argv[1];
    error = mnist_error_new();
    data = noise(64, 8);
    if (argc > 2) {
        full_disk();
    } else {
        uninterrupted();
        intervals();
        failing_writes();
    }
    mnist_dataset_free(data);
    return report();
}
