/* mnist_mpi.h: the processes of an MPI program take a fit together.
 *
 *     MPI_Comm ranks;
 *     MPI_Comm_dup(MPI_COMM_WORLD, &ranks);
 *     mnist_communicator communicator = mnist_mpi_communicator(&ranks);
 *     fit.communicator = &communicator;
 *
 * mnist_model_fit calls MPI on the thread that called it: MPI_Init is enough, and MPI_THREAD_FUNNELED where the program asks
 * for a level. The library itself links no MPI; compile the program with mpicc.
 *
 * A rank that is not heard of for MNIST_MPI_TIMEOUT seconds ends the fit of all others with MNIST_ERROR_NETWORK, whose message
 * names it. Make it longer than what one rank may do alone between two steps: a callback, the writing of a checkpoint. After
 * such an error messages are still under way: end the program with MPI_Abort. */
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

#ifndef MNIST_MPI_TIMEOUT
#define MNIST_MPI_TIMEOUT 60.0
#endif

/* Messages that are on their way, and whom each goes to or comes from. */
typedef struct mnist_mpi_messages {
    int count;
    int *ranks;
    MPI_Request *requests;
} mnist_mpi_messages;

/* Room for two messages with each rank; 0 when there is none. */
static inline int mnist_mpi_begin(mnist_mpi_messages *messages, int size)
{
    messages->count = 0;
    messages->ranks = (int *)malloc(2 * (size_t)size * sizeof(int));
    messages->requests = (MPI_Request *)malloc(2 * (size_t)size * sizeof(MPI_Request));
    return messages->ranks != NULL && messages->requests != NULL;
}

/* Waits until all messages have arrived: 0, or 1 and the rank that is missing, or -1. What is still under way keeps its memory. */
static inline int32_t mnist_mpi_end(mnist_mpi_messages *messages)
{
    const double deadline = MPI_Wtime() + MNIST_MPI_TIMEOUT;
    int done = 0;
    while (MPI_Testall(messages->count, messages->requests, &done, MPI_STATUSES_IGNORE) == MPI_SUCCESS && !done) {
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

/* Each pair of ranks exchanges its messages at once, so that it is known whose are missing. */
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

/* The ranks of `*comm`, which must be good as long as the communicator, and which nothing else sends messages on: a duplicate.
 * Its errors are returned from now on, where MPI's default is to end the program. */
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
