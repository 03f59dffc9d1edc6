/* A communicator in shared memory, for ranks that are threads of a process or its children. What a rank sends remains there until
 * all have read it. A rank that does not come within `patience` seconds is named to the others. */
#ifndef HUB_H
#define HUB_H

#include <mnist.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { HUB_RANKS = 8, HUB_CALLS = 64, HUB_ROOM = 64 << 20 };

typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t turned;
    int32_t size, arrived, reading;
    uint32_t round;
    int here[HUB_RANKS];
    double patience;
    size_t lens[HUB_RANKS], calls, bytes;
    size_t last[HUB_CALLS]; /* bytes of the last exchanges, of all ranks together */
    char sent[HUB_RANKS][HUB_ROOM];
} hub;

typedef struct {
    hub *hub;
    int32_t rank;
    mnist_communicator communicator;
} hub_rank;

static void hub_reset(hub *h, int32_t size, double patience)
{
    pthread_mutexattr_t mutex;
    pthread_condattr_t cond;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_condattr_init(&cond);
    pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&h->mutex, &mutex);
    pthread_cond_init(&h->turned, &cond);
    h->size = size, h->patience = patience;
    h->arrived = h->reading = 0, h->round = 0, h->calls = h->bytes = 0;
    memset(h->here, 0, sizeof h->here);
}

static hub *hub_new(void)
{
    void *memory = mmap(NULL, sizeof(hub), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Waits until all have sent, or, if `reading`, until all have read. Returns 0, or 1 plus the number of a rank that is missing. */
static int32_t hub_wait(hub *h, int reading, uint32_t round, const struct timespec *end)
{
    while (reading ? h->reading > 0 : h->round == round) {
        if (pthread_cond_timedwait(&h->turned, &h->mutex, end) != ETIMEDOUT)
            continue;
        for (int32_t rank = 0; rank < h->size; rank++)
            if (h->here[rank] == reading)
                return 1 + rank;
        return -1;
    }
    return 0;
}

/* Sends the bytes of every rank to `receive`, or, if that is NULL, those of `root` to `data`. */
static int32_t hub_exchange(hub_rank *own, const void *send, size_t bytes, char *receive, const size_t *counts, int32_t root,
                            void *data)
{
    hub *h = own->hub;
    struct timespec end;
    int32_t missing = 0;
    if (h->size == 1) {
        if (receive != NULL)
            memcpy(receive, send, bytes);
        return 0;
    }
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += (time_t)h->patience;
    pthread_mutex_lock(&h->mutex);
    missing = hub_wait(h, 1, 0, &end);
    pthread_mutex_unlock(&h->mutex);
    if (missing != 0 || bytes > HUB_ROOM)
        return missing != 0 ? missing : -1;
    memcpy(h->sent[own->rank], send, bytes);
    pthread_mutex_lock(&h->mutex);
    h->lens[own->rank] = bytes, h->here[own->rank] = 1;
    const uint32_t round = h->round;
    if (++h->arrived == h->size) {
        size_t bytes = receive == NULL ? h->lens[root] : 0;
        for (int32_t rank = 0; rank < h->size && receive != NULL; rank++)
            bytes += h->lens[rank];
        h->last[h->calls++ % HUB_CALLS] = bytes;
        h->arrived = 0, h->reading = h->size, h->round++;
        pthread_cond_broadcast(&h->turned);
    } else {
        missing = hub_wait(h, 0, round, &end);
    }
    pthread_mutex_unlock(&h->mutex);
    if (missing != 0)
        return missing;
    size_t at = 0;
    for (int32_t rank = 0; rank < h->size; at += receive != NULL ? counts[rank] : 0, rank++) {
        if (receive != NULL && counts[rank] != h->lens[rank])
            missing = -1; /* the ranks are not at the same exchange */
        else if (receive != NULL)
            memcpy(receive + at, h->sent[rank], counts[rank]);
        else if (rank == root && own->rank != root)
            memcpy(data, h->sent[rank], bytes);
    }
    pthread_mutex_lock(&h->mutex);
    h->bytes += receive != NULL ? at - bytes : own->rank == root ? 0 : bytes;
    h->here[own->rank] = 0;
    if (--h->reading == 0)
        pthread_cond_broadcast(&h->turned);
    pthread_mutex_unlock(&h->mutex);
    return missing;
}

static int32_t hub_allgather(void *user, const void *send, size_t bytes, void *receive, const size_t *counts)
{
    return hub_exchange(user, send, bytes, receive, counts, 0, NULL);
}

static int32_t hub_broadcast(void *user, void *data, size_t bytes, int32_t root)
{
    return hub_exchange(user, data, bytes, NULL, NULL, root, data);
}

static void hub_join(hub_rank *own, hub *h, int32_t rank)
{
    own->hub = h, own->rank = rank;
    mnist_communicator_init(&own->communicator, sizeof own->communicator);
    own->communicator.user = own;
    own->communicator.rank = rank, own->communicator.size = h->size;
    own->communicator.allgather = hub_allgather, own->communicator.broadcast = hub_broadcast;
}

#endif
