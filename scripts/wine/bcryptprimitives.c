/*
 * bcryptprimitives.dll for versions of Wine that lack it (8.0 does).
 *
 * Go's runtime takes its random numbers from ProcessPrng since Go 1.22 and does not start without it. The only export
 * is that function, over RtlGenRandom, which Wine has had for ever; advapi32 exports it as SystemFunction036. Windows has
 * the real library, and nothing of this is ever part of a Windows build of ours.
 */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

/* RtlGenRandom takes a ULONG, ProcessPrng a SIZE_T: longer requests are filled in pieces. */
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    const ULONG piece = 1u << 30;

    while (length > 0) {
        ULONG n = length < piece ? (ULONG)length : piece;
        if (!SystemFunction036(data, n))
            return FALSE;
        data += n;
        length -= n;
    }
    return TRUE;
}
