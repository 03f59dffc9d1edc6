/* mnist_mpi.h: fits that the ranks of an MPI program train together.
 *
 *     MPI_Comm ranks;
 *     MPI_Comm_dup(MPI_COMM_WORLD, &ranks);
 *     mnist_communicator communicator = mnist_mpi_communicator(&ranks);
 *     fit.communicator = &communicator;
 *
 * Compile the program with mpicc; the library itself does not link MPI. mnist_model_fit calls MPI only on the thread that called
 * it, so that MPI_Init is enough (or MPI_Init_thread with MPI_THREAD_FUNNELED).
 *
 * If a rank does not answer for MNIST_MPI_TIMEOUT seconds, all others return MNIST_ERROR_NETWORK with a message that names it. The
 * time must be longer than anything that one rank does alone between two steps, such as a callback or writing a checkpoint. After
 * such an error some messages are still under way: end the program with MPI_Abort. */
#ifndef MNIST_MPI_H
#define MNIST_MPI_H

#include <mnist.h>
#include <mpi.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#define MNIST_MPI_YIELD() ((void)sched_yield())
#else
#define MNIST_MPI_YIELD() ((void)0)
#endif

/* Seconds; define it before this header is included to change it. */
#ifndef MNIST_MPI_TIMEOUT
#define MNIST_MPI_TIMEOUT 60.0
#endif

/* Messages under way, and the rank that each comes from or goes to. */
typedef struct mnist_mpi_messages {
    int count;
    int *ranks;
    MPI_Request *requests;
    MPI_Status *statuses;
} mnist_mpi_messages;

/* Allocates room for two messages with each rank; returns 0 if there is no memory. */
static inline int mnist_mpi_begin(mnist_mpi_messages *messages, int size)
{
    messages->count = 0;
    messages->ranks = (int *)malloc(2 * (size_t)size * sizeof(int));
    messages->requests = (MPI_Request *)malloc(2 * (size_t)size * sizeof(MPI_Request));
    messages->statuses = (MPI_Status *)malloc(2 * (size_t)size * sizeof(MPI_Status));
    return messages->ranks != NULL && messages->requests != NULL && messages->statuses != NULL;
}

/* Waits for all messages. Returns 0, 1 plus the number of a rank that does not answer, or -1. On failure the memory is not freed,
 * because MPI may still use it. */
static inline int32_t mnist_mpi_end(mnist_mpi_messages *messages)
{
    const double deadline = MPI_Wtime() + MNIST_MPI_TIMEOUT;
    int done = 0;
    while (MPI_Testall(messages->count, messages->requests, &done, messages->statuses) == MPI_SUCCESS && !done) {
        if (MPI_Wtime() > deadline) {
            for (int i = 0; i < messages->count; i++)
                if (MPI_Test(&messages->requests[i], &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && !done)
                    return 1 + messages->ranks[i];
            return -1;
        }
        MNIST_MPI_YIELD();
    }
    if (!done)
        return -1;
    free(messages->ranks);
    free(messages->requests);
    free(messages->statuses);
    return 0;
}

static inline void mnist_mpi_receive(mnist_mpi_messages *messages, void *data, size_t bytes, int rank, MPI_Comm comm)
{
    messages->ranks[messages->count] = rank;
    MPI_Irecv(data, (int)bytes, MPI_BYTE, rank, 0, comm, &messages->requests[messages->count++]);
}

static inline void mnist_mpi_send(mnist_mpi_messages *messages, const void *data, size_t bytes, int rank, MPI_Comm comm)
{
    messages->ranks[messages->count] = rank;
    MPI_Isend((void *)(size_t)data, (int)bytes, MPI_BYTE, rank, 0, comm, &messages->requests[messages->count++]);
}

/* Separate messages instead of MPI_Allgatherv, because they show which rank does not answer. */
static inline int32_t mnist_mpi_allgather(void *user, const void *send, size_t bytes, void *receive, const size_t *counts)
{
    const MPI_Comm comm = *(MPI_Comm *)user;
    mnist_mpi_messages messages;
    char *to = (char *)receive;
    int rank, size;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    for (int i = 0; i < size; i++)
        if (counts[i] > INT_MAX)
            return -1;
    if (!mnist_mpi_begin(&messages, size))
        return -1;
    for (int i = 0; i < size; to += counts[i++])
        if (i == rank)
            memcpy(to, send, bytes);
        else if (counts[i] > 0)
            mnist_mpi_receive(&messages, to, counts[i], i, comm);
    for (int i = 1; i < size && bytes > 0; i++)
        mnist_mpi_send(&messages, send, bytes, (rank + i) % size, comm);
    return mnist_mpi_end(&messages);
}

static inline int32_t mnist_mpi_broadcast(void *user, void *data, size_t bytes, int32_t root)
{
    const MPI_Comm comm = *(MPI_Comm *)user;
    mnist_mpi_messages messages;
    int rank, size;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    if (bytes > INT_MAX || !mnist_mpi_begin(&messages, size))
        return -1;
    if (rank != root)
        mnist_mpi_receive(&messages, data, bytes, root, comm);
    for (int i = 1; i < size && rank == root; i++)
        mnist_mpi_send(&messages, data, bytes, (rank + i) % size, comm);
    return mnist_mpi_end(&messages);
}

/* A communicator of the ranks of `*comm`, which must exist as long as the communicator is used, and which nothing else may use
 * meanwhile: use a duplicate. MPI's errors on it are returned from now on; MPI's default is to end the program. */
static inline mnist_communicator mnist_mpi_communicator(MPI_Comm *comm)
{
    mnist_communicator communicator;
    int rank, size;
    MPI_Comm_set_errhandler(*comm, MPI_ERRORS_RETURN);
    MPI_Comm_rank(*comm, &rank);
    MPI_Comm_size(*comm, &size);
    mnist_communicator_init(&communicator, sizeof communicator);
    communicator.user = comm;
    communicator.rank = rank;
    communicator.size = size;
    communicator.allgather = mnist_mpi_allgather;
    communicator.broadcast = mnist_mpi_broadcast;
    return communicator;
}

#endif
