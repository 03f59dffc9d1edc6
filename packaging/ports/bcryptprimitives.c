/* A replacement of bcryptprimitives.dll for Wine up to version 8, which lacks it: the one function that Rust's standard library
 * calls, for the keys of its hash tables. */
#include <windows.h>

#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T len)
{
    return RtlGenRandom(data, (ULONG)len);
}
