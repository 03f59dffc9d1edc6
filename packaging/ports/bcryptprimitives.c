/* For Wine up to 8, which lacks bcryptprimitives.dll: the one function of it that Rust's standard library calls, for the keys
 * of its hash tables. Windows has it. */
#include <windows.h>

#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T len)
{
    return RtlGenRandom(data, (ULONG)len);
}
