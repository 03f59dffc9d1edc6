/* Refuses memory and threads: every request that is made while `inside` is set, on any thread, is counted, and some are
 * refused. The allocation functions here replace those of the C library. */

#ifndef REFUSING_H
#define REFUSING_H

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int inside, requests, refused;

/* The refused request, counted from 1; 0: none. */
static int refuse_first;
/* Whether later requests are refused, too. */
static int refuse_more;

/* Set on a thread whose requests are not refused. */
static __thread int granted;

static int is_refused(void)
{
    if (!__atomic_load_n(&inside, __ATOMIC_SEQ_CST) || granted)
        return 0;
    const int n = 1 + __atomic_fetch_add(&requests, 1, __ATOMIC_SEQ_CST);
    if (refuse_first == 0 || n < refuse_first || (n > refuse_first && !refuse_more))
        return 0;
    __atomic_fetch_add(&refused, 1, __ATOMIC_SEQ_CST);
    errno = ENOMEM;
    return 1;
}

/* The C library's own functions, which the functions below replace. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t size)
{
    return is_refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    return is_refused() ? NULL : __libc_calloc(number, size);
}

void *realloc(void *block, size_t size)
{
    return is_refused() ? NULL : __libc_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return is_refused() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *found = is_refused() ? NULL : __libc_memalign(alignment, size);
    if (found == NULL)
        return ENOMEM;
    *block = found;
    return 0;
}

void *mmap64(void *address, size_t len, int protection, int flags, int file, off_t offset)
{
    return is_refused() ? MAP_FAILED : (void *)syscall(SYS_mmap, address, len, protection, flags, file, offset);
}

void *mmap(void *address, size_t len, int protection, int flags, int file, off_t offset)
{
    return mmap64(address, len, protection, flags, file, offset);
}

/* The C library registers a destructor for the end of a thread; if it gets no memory for that, it ends the process itself. */
int __cxa_thread_atexit_impl(void (*function)(void *), void *object, void *library)
{
    static int (*note)(void (*)(void *), void *, void *);
    granted++;
    if (note == NULL)
        *(void **)&note = dlsym(RTLD_NEXT, "__cxa_thread_atexit_impl");
    const int noted = note(function, object, library);
    granted--;
    return noted;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (create == NULL)
        *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
    return is_refused() ? EAGAIN : create(thread, attributes, start, argument);
}

#endif
