/* All kinds of paths, with every call that opens one: paths FOLDER [list | mounted]. */

#include "paths.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static mode_t mode_of(const char *path)
{
    struct stat there;
    return stat(path, &there) == 0 ? there.st_mode & 07777 : 0;
}

static void put(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "wb");
    TRUE(file && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, mode) == 0);
}

static int exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Switches to an unprivileged user; returns whether that is possible. */
static int become(uid_t user)
{
    static int root = -1;
    if (root < 0)
        root = geteuid() == 0;
    return root && (user == 0 ? seteuid(0) == 0 && setegid(0) == 0 : setegid(user) == 0 && seteuid(user) == 0);
}

/* A pipe without a peer, a socket, a device, a folder. */
static void no_files(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    TRUE(mkfifo(in("pipe"), 0666) == 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", in("socket"));
    TRUE(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    TRUE(symlink("pipe", in("link-to-pipe")) == 0);
    TRUE(mkdir(in("a-folder"), 0777) == 0);
    const char *const kinds[][2] = {{in("pipe"), "expected a file, found a pipe"},
                                    {in("link-to-pipe"), "expected a file, found a pipe"},
                                    {in("socket"), "expected a file, found a socket"},
                                    {in("a-folder"), "expected a file, found a directory"},
                                    {"/dev/null", "expected a file, found a device"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        READS_FAIL(IO, kinds[i][1], kinds[i][0]);
        WRITES_FAIL(IO, kinds[i][1], kinds[i][0]);
    }
    close(listener);
}

static int swapping;

/* Alternately makes a name lead to a file and to a pipe. */
static void *swap(void *unused)
{
    while (get(&swapping)) {
        unlink(in("turn"));
        TRUE(link(in("arrays.npz"), in("turn")) == 0);
        unlink(in("turn"));
        TRUE(link(in("pipe"), in("turn")) == 0);
    }
    return unused;
}

/* A path may change between a check and the opening. */
static void a_pipe_in_its_place_meanwhile(void)
{
    pthread_t thread;
    set(&swapping, 1);
    char path[1024];
    snprintf(path, sizeof path, "%s/turn", folder);
    TRUE(pthread_create(&thread, NULL, swap, NULL) == 0);
    for (int i = 0; i < 3000; i++) {
        const mnist_status status = open_npz(path);
        TRUE(status == MNIST_OK || status == MNIST_ERROR_IO || status == MNIST_ERROR_NOT_FOUND);
    }
    set(&swapping, 0);
    pthread_join(thread, NULL);
}

/* Invalid file names, and names with terminal control characters. */
static void names(void)
{
    WRITES_FAIL(INVALID_ARGUMENT, "not the name of a file", in("new-folder/"));
    WRITES_FAIL(INVALID_ARGUMENT, "not the name of a file", in("a-folder/"));
    WRITES_FAIL(INVALID_ARGUMENT, "not the name of a file", in("a-folder/."));
    WRITES_FAIL(INVALID_ARGUMENT, "not the name of a file", in("a-folder/.."));
    WRITES_FAIL(INVALID_ARGUMENT, "reserved for temporary files", in(".mnist-3.tmp"));
    WRITES_FAIL(NOT_FOUND, "new-folder/x: temporary file beside it", in("new-folder/x"));
    WRITES_FAIL(IO, "arrays.npz/x: ", in("arrays.npz/x"));
    READS_FAIL(IO, "arrays.npz/: ", in("arrays.npz/"));
    READS_FAIL(NOT_FOUND, "none: ", in("none"));
    TRUE(!exists(in("new-folder")));
    for (int i = 0; i < CALLS; i++) {
        fails(__LINE__, &calls[i], in("a\x1b[31m\n\x7f\xc2\x9b/b"), MNIST_ERROR_NOT_FOUND,
              "/a\\u{1b}[31m\\n\\u{7f}\\u{9b}/b: ");
        for (const char *c = mnist_error_message(error); *c; c++)
            TRUE((unsigned char)*c >= 32 && *c != 127);
    }
}

static int32_t leave(void *unused, const mnist_progress *progress)
{
    (void)unused;
    if (progress->epoch == 0 && progress->batch == 1)
        TRUE(chdir(in("elsewhere")) == 0);
    return 0;
}

/* A relative path is resolved against the working folder at the time of the call. */
static void working_folders(void)
{
    char start[1024];
    TRUE(getcwd(start, sizeof start) && mkdir(in("elsewhere"), 0777) == 0 && chdir(folder) == 0);
    for (int i = 0; i < CALLS; i++)
        expect_status(__LINE__, calls[i].place, calls[i].run(calls[i].good), MNIST_OK, "");
    mnist_model *fitted = compiled();
    mnist_fit_options options = three_epochs();
    options.checkpoint_path = "relative";
    options.checkpoint_batches = 1;
    options.on_batch_end = leave;
    WORKS(mnist_model_fit(fitted, data, &options, NULL, error));
    WORKS(mnist_model_save(fitted, in("fitted"), error));
    TRUE(same_files(in("relative"), in("fitted")) && !exists(in("elsewhere/relative")));
    mnist_model_free(fitted);

    TRUE(mkdir(in("gone"), 0777) == 0 && chdir(in("gone")) == 0 && rmdir(in("gone")) == 0);
    READS_FAIL(NOT_FOUND, "weights: the path is relative, and the working folder was deleted", "weights");
    WRITES_FAIL(NOT_FOUND, "weights: the path is relative, and the working folder was deleted", "weights");
    ALL_WORK(); /* with absolute paths */

    /* A working folder whose path this process can no longer access. */
    TRUE(mkdir(in("closed"), 0700) == 0 && mkdir(in("closed/inside"), 0777) == 0 && chdir(in("closed/inside")) == 0);
    TRUE(chmod(in("closed/inside"), 0777) == 0);
    if (become(65534)) {
        WORKS(save_weights("w"));
        WORKS(load_weights("w"));
        FAILS(IO, "w: the working folder's path does not lead to it", fit_to("w"));
        TRUE(become(0));
    }
    TRUE(chdir(start) == 0);
}

/* Files that must not be replaced are detected before a fit's first step, and are unchanged. */
static void kept_from_writing(void)
{
    put(in("read-only"), "mine", 0444);
    WRITES_FAIL(IO, "read-only: cannot be replaced: it is read-only", in("read-only"));
    TRUE(file_size(in("read-only")) == 4 && mode_of(in("read-only")) == 0444);
    if (!become(65534) || !become(0)) {
        printf("not root: other users' files not tried\n");
        return;
    }
    TRUE(mkdir(in("shared"), 0777) == 0 && chmod(in("shared"), 0777) == 0);
    TRUE(mkdir(in("sticky"), 0777) == 0 && chmod(in("sticky"), 01777) == 0);
    TRUE(mkdir(in("locked"), 0555) == 0);
    put(in("shared/theirs"), "theirs", 0644);
    put(in("sticky/theirs"), "theirs", 0666);
    put(in("locked/theirs"), "theirs", 0666);
    TRUE(become(65534));
    WRITES_FAIL(IO, "theirs: cannot be replaced: no permission to write to it", in("shared/theirs"));
    WRITES_FAIL(IO, "theirs: cannot be replaced: in a sticky folder only its owner may", in("sticky/theirs"));
    WRITES_FAIL(IO, "theirs: temporary file beside it: Permission denied", in("locked/theirs"));
    WRITES_FAIL(IO, "new: temporary file beside it: Permission denied", in("locked/new"));
    WORKS(save_weights(in("sticky/ours")));
    WORKS(save_weights(in("sticky/ours")));
    TRUE(become(0));
    TRUE(file_size(in("shared/theirs")) == 6 && file_size(in("sticky/theirs")) == 6 && file_size(in("locked/theirs")) == 6);
    WORKS(save_weights(in("sticky/theirs"))); /* allowed for a privileged user */
}

/* Mode, owner and group are kept. */
static void kept(void)
{
    static const mode_t modes[] = {0600, 0640, 0664, 0755, 0200};
    struct stat there;
    for (int i = 0; i < CALLS; i++)
        for (size_t k = 0; calls[i].writes && calls[i].run != fit_from && k < sizeof modes / sizeof *modes; k++) {
            put(in("kept"), "old", modes[k]);
            const mode_t mask = umask(k % 2 ? 0 : 077);
            expect_status(__LINE__, calls[i].place, calls[i].run(in("kept")), MNIST_OK, "");
            umask(mask);
            /* its owner may not read a file of mode 0200, so it is not opened */
            TRUE(stat(in("kept"), &there) == 0 && (there.st_mode & 07777) == modes[k] && there.st_size > 3);
        }
    const mode_t mask = umask(027);
    WORKS(save_weights(in("fresh")));
    TRUE(mode_of(in("fresh")) == 0640);
    umask(mask);
    if (!become(0))
        return;
    put(in("kept"), "old", 0640);
    TRUE(chown(in("kept"), 1234, 5678) == 0);
    WORKS(save_model(in("kept")));
    TRUE(stat(in("kept"), &there) == 0 && there.st_uid == 1234 && there.st_gid == 5678 && mode_of(in("kept")) == 0640);
    /* If the group cannot be kept, the new group gets no more rights than others. */
    put(in("shared/open"), "old", 0676);
    TRUE(become(65534));
    WORKS(save_model(in("shared/open")));
    TRUE(become(0));
    TRUE(stat(in("shared/open"), &there) == 0 && there.st_uid == 65534 && mode_of(in("shared/open")) == 0666);
}

/* A link is kept, and its target is replaced or created. */
static void links(void)
{
    struct stat there;
    TRUE(mkdir(in("far"), 0777) == 0 && symlink("far", in("near")) == 0);
    TRUE(symlink("../near/two", in("far/one")) == 0 && symlink(in("near/target"), in("far/two")) == 0);
    for (int i = 0; i < CALLS; i++) {
        if (!calls[i].writes)
            continue;
        for (int turn = 0; turn < 2; turn++)
            expect_status(__LINE__, calls[i].place, calls[i].run(in("near/one")), MNIST_OK, "");
        TRUE(lstat(in("far/one"), &there) == 0 && S_ISLNK(there.st_mode));
        TRUE(lstat(in("far/target"), &there) == 0 && S_ISREG(there.st_mode));
        remove(in("far/target"));
    }
    TRUE(symlink("loop", in("loop")) == 0 && symlink("none/x", in("to-no-folder")) == 0);
    TRUE(symlink("none/", in("to-a-folder")) == 0);
    WRITES_FAIL(IO, "loop: ", in("loop"));
    WRITES_FAIL(NOT_FOUND, "to-no-folder: temporary file beside it", in("to-no-folder"));
    WRITES_FAIL(INVALID_ARGUMENT, "to-a-folder: not the name of a file", in("to-a-folder"));
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    if (argc > 2 && strcmp(argv[2], "list") == 0) {
        for (int i = 0; i < CALLS; i++)
            printf("%s\n", calls[i].place);
        return 0;
    }
    begin(argv[1]);
    if (argc > 2) {
        WRITES_FAIL(IO, "cannot be replaced: something is mounted there", in("mounted"));
    } else {
        ALL_WORK();
        no_files();
        a_pipe_in_its_place_meanwhile();
        names();
        working_folders();
        kept_from_writing();
        kept();
        links();
    }
    return end();
}
