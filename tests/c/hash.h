/* A hash of bytes, FNV-1a with 64 bits. */

#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_OF_NOTHING 0xcbf29ce484222325u

/* The hash of more bytes. */
static uint64_t hash(uint64_t before, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        before = (before ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return before;
}

#endif
