/* To be loaded before the C library: says on the standard error which environment variables are asked for. */

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
