/* A library to be loaded before the C library: prints to stderr which environment variables are read. */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

char *getenv(const char *name)
{
    char *(*real)(const char *);
    *(void **)&real = dlsym(RTLD_NEXT, "getenv");
    (void)!write(2, "getenv ", 7);
    (void)!write(2, name, strlen(name));
    (void)!write(2, "\n", 1);
    return real(name);
}
