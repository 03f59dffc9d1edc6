/* Loaded before a program's libraries: says when a file is about to get its name, and takes its time over it. */

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
