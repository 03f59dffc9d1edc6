/* A library to be loaded before a program's libraries: prints when a file is about to be renamed to its final name, and
 * delays the renaming. */

#include <stdio.h>
#include <unistd.h>

int rename(const char *from, const char *to)
{
    (void)from;
    (void)to;
    if (write(1, "renaming\n", 9) == 9)
        sleep(30);
    return -1;
}
