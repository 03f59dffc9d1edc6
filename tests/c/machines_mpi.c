/* What machines.c tests, over MPI. Every rank prints what is wrong, and then ends with 1.
 *
 *     mpirun -n RANKS machines_mpi bits               every layer, optimizer, loss and metric
 *     mpirun -n 3 machines_mpi differ                 ranks that differ
 *     mpirun -n 3 machines_mpi killed CHECKPOINT      rank 1 kills itself; the others print the error that they get
 *     mpirun -n 3 machines_mpi stopped CHECKPOINT     rank 1 is stopped for ten seconds
 *     mpirun -n RANKS machines_mpi resume CHECKPOINT  the same fit, from the checkpoint
 *
 * After `killed` and `stopped` MPI ends the program with an error, as it must. */
#define MNIST_MPI_TIMEOUT 3.0
#include <mnist_mpi.h>

#include "machines/differences.h"
#include "machines/tasks.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static MPI_Comm ranks;
static mnist_communicator communicator;
static int wrong;

/* Compares all ranks with one process. */
static void on_all(const task *t, int try_all)
{
    const outcome alone = fit(t, 1, NULL);
    for (size_t threads = 1; threads <= (try_all ? 2u : 1u); threads++) {
        const outcome found = fit(t, threads, &communicator);
        if (found.status != MNIST_OK || found.hash != alone.hash) {
            printf("%s, rank %d: status %d: %s\n", t->name, (int)communicator.rank, (int)found.status, found.message);
            wrong = 1;
        }
    }
}

static void expect(const task *t, const char *others, const char *odd)
{
    const outcome found = fit(t, 1, &communicator);
    const char *expected = communicator.rank == t->odd ? odd : others;
    if (found.status >= 0 || strstr(found.message, expected) != found.message) {
        printf("rank %d: status %d: expected %s, found %s\n", (int)communicator.rank, (int)found.status, expected, found.message);
        wrong = 1;
    }
}

static double last_step; /* when it ended */

static int32_t note_time(void *user, const mnist_progress *progress)
{
    (void)user, (void)progress;
    last_step = MPI_Wtime();
    return 0;
}

/* Whether rank 1 is to be lost now. */
static int now(const mnist_progress *progress)
{
    return communicator.rank == 1 && progress->epoch == 3 && progress->batch == 2;
}

static int32_t kill_itself(void *user, const mnist_progress *progress)
{
    if (now(progress))
        raise(SIGKILL);
    return note_time(user, progress);
}

static int32_t stop_itself(void *user, const mnist_progress *progress)
{
    if (now(progress)) {
        const pid_t child = fork();
        if (child == 0) {
            sleep(10);
            kill(getppid(), SIGCONT);
            _exit(0);
        }
        raise(SIGSTOP);
        waitpid(child, NULL, 0);
    }
    return note_time(user, progress);
}

/* Prints the error that this rank gets, and waits until all have. */
static void lose(const char *checkpoint, mnist_callback on_batch_end, unsigned seconds)
{
    task t = long_fit(checkpoint);
    t.odd = communicator.rank, t.on_batch_end = on_batch_end;
    const outcome found = fit(&t, 1, &communicator);
    printf("rank %d, %.1f s after its last step: %s: %s\n", (int)communicator.rank, MPI_Wtime() - last_step,
           mnist_status_name(found.status), found.message);
    fflush(stdout);
    sleep(seconds);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static void resume(const char *checkpoint)
{
    const task whole = long_fit(NULL), rest = long_fit(checkpoint);
    const outcome alone = fit(&whole, 1, NULL), found = fit(&rest, 1, &communicator);
    if (found.status != MNIST_OK || found.hash != alone.hash)
        wrong = 1, printf("rank %d: status %d: %s\n", (int)communicator.rank, (int)found.status, found.message);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_dup(MPI_COMM_WORLD, &ranks);
    communicator = mnist_mpi_communicator(&ranks);
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "bits") == 0)
        every_kind(on_all);
    else if (strcmp(what, "differ") == 0)
        every_difference(expect);
    else if (strcmp(what, "killed") == 0 && argc > 2)
        lose(argv[2], kill_itself, 1);
    else if (strcmp(what, "stopped") == 0 && argc > 2)
        lose(argv[2], stop_itself, 11);
    else if (strcmp(what, "resume") == 0 && argc > 2)
        resume(argv[2]);
    else
        wrong = 2;
    MPI_Comm_free(&ranks);
    MPI_Finalize();
    return wrong;
}
