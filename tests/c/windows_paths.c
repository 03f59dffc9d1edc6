/* All kinds of paths on Windows, with every call that opens one: windows_paths FOLDER. */

#include <windows.h>
#undef TRUE /* also the name of a check */

#include "paths.h"

#include <fcntl.h>
#include <io.h>

static const char OTHER[] = "Z\xc3\xbcrich-\xe6\x95\xb0\xe5\xad\x97"; /* Zürich-数字 */

/* A path in the system's form: UTF-16, absolute, of any length. Valid until the fourth call after this one. */
static const wchar_t *wide(const char *path)
{
    static wchar_t all[4][8192], given[8192], whole[8192];
    static int next;
    wchar_t *out = all[next++ % 4];
    TRUE(MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, given, 8192) > 0);
    TRUE(GetFullPathNameW(given, 8192, whole, NULL) > 0);
    _snwprintf(out, 8192, wcsncmp(whole, L"\\\\?\\", 4) == 0 ? L"%ls" : L"\\\\?\\%ls", whole);
    return out;
}

static int exists(const char *path)
{
    return GetFileAttributesW(wide(path)) != INVALID_FILE_ATTRIBUTES;
}

static HANDLE opened(const char *path, DWORD access, DWORD share)
{
    return CreateFileW(wide(path), access, share, NULL, OPEN_EXISTING, 0, NULL);
}

/* Creates a file with the content `text`. */
static void put(const char *path, const char *text)
{
    DWORD written;
    HANDLE file = CreateFileW(wide(path), GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    TRUE(file != INVALID_HANDLE_VALUE && WriteFile(file, text, (DWORD)strlen(text), &written, NULL) && CloseHandle(file));
}

/* Whether two paths lead to files with the same bytes. */
static int same_bytes(const char *a, const char *b)
{
    HANDLE files[2] = {opened(a, GENERIC_READ, 7), opened(b, GENERIC_READ, 7)};
    static char bytes[2][1 << 16];
    DWORD read[2];
    int same = files[0] != INVALID_HANDLE_VALUE && files[1] != INVALID_HANDLE_VALUE;
    do
        for (int i = 0; i < 2; i++)
            same = same && ReadFile(files[i], bytes[i], sizeof bytes[i], &read[i], NULL);
    while (same && (same = read[0] == read[1] && memcmp(bytes[0], bytes[1], read[0]) == 0) && read[0] > 0);
    CloseHandle(files[0]), CloseHandle(files[1]);
    return same;
}

/* Checks that no temporary file is left in the folder. */
static int nothing_left(const char *where)
{
    char pattern[8192];
    WIN32_FIND_DATAW found;
    snprintf(pattern, sizeof pattern, "%s\\.mnist-0.tmp", where);
    HANDLE search = FindFirstFileW(wide(pattern), &found);
    if (search == INVALID_HANDLE_VALUE)
        return 1;
    FindClose(search);
    return 0;
}

/* A path in the folder, valid for many calls. */
static const char *kept(const char *name)
{
    const char *path = in(name);
    char *copy = malloc(strlen(path) + 1);
    TRUE(copy != NULL);
    return strcpy(copy, path);
}

/* Every call fails with each path of an array. */
#define ALL_FAIL(status, needle, paths)                                                                                \
    for (size_t i = 0; i < sizeof(paths) / sizeof *(paths); i++) {                                                     \
        READS_FAIL(status, needle, (paths)[i]);                                                                        \
        WRITES_FAIL(status, needle, (paths)[i]);                                                                       \
    }

/* Paths to devices and pipes: errors before anything is opened or begun. */
static void no_files(void)
{
    const char *const devices[] = {
        "NUL", "con", "Aux.npz", "prn.tar.gz", "com1", "LPT9.txt", "COM\xc2\xb9", "CONIN$", "conout$.x", "nul ", "nul.", "nul .txt",
        kept("nul"), kept("con.npz"), kept("aux/w"), kept("COM7.d/w"), "\\\\.\\COM1", "//./nul", "\\\\.\\C:\\w", "\\\\.\\PhysicalDrive0",
        "\\\\?\\GLOBALROOT\\Device\\Null", "\\??\\C:\\w"};
    const char *const pipes[] = {"\\\\localhost\\pipe\\x", "//localhost/PIPE/x", "\\\\?\\UNC\\localhost\\pipe\\x"};
    ALL_FAIL(IO, "expected a file, found a device", devices)
    ALL_FAIL(IO, "expected a file, found a pipe", pipes)
    READS_FAIL(IO, "expected a file, found a directory", folder);
    WRITES_FAIL(IO, "expected a file, found a directory", folder);

    /* A pipe without a peer. */
    const char *const pipe = "\\\\.\\pipe\\mnist-test";
    HANDLE server = CreateNamedPipeA(pipe, PIPE_ACCESS_DUPLEX, PIPE_NOWAIT, 1, 64, 64, 0, NULL);
    TRUE(server != INVALID_HANDLE_VALUE);
    READS_FAIL(IO, "expected a file, found a device", pipe);
    WRITES_FAIL(IO, "expected a file, found a device", pipe);
    TRUE(ConnectNamedPipe(server, NULL) == 0 && GetLastError() == ERROR_PIPE_LISTENING);
    CloseHandle(server);
}

/* Names that Windows would change or interpret differently. */
static void names(void)
{
    const char *const streams[] = {kept("arrays.npz:b"), kept("arrays.npz::$DATA"), "arrays.npz:b:$DATA", kept("a:b/w")};
    const char *const ends[] = {kept("w."), kept("w "), kept("a. /w"), kept("..."), kept(".mnist-3.tmp.")};
    const char *const letters[] = {kept("a*"), kept("a?"), kept("<a"), kept("a\"b"), kept("a|b"), kept("a\nb")};
    const char *const drives[] = {"C:w", "z:", "c:..\\w"};
    const char *const bytes[] = {kept("a\xff"), kept("a\xc3"), kept("\xed\xa0\x80"), "\xc0\xafw"};
    ALL_FAIL(INVALID_ARGUMENT, "alternate data stream", streams)
    ALL_FAIL(INVALID_ARGUMENT, "ends in a dot or a space", ends)
    ALL_FAIL(INVALID_ARGUMENT, "has a character that Windows does not allow in names", letters)
    ALL_FAIL(INVALID_ARGUMENT, "a drive without a folder", drives)
    ALL_FAIL(INVALID_ARGUMENT, "is not UTF-8", bytes)
    WRITES_FAIL(INVALID_ARGUMENT, "not the name of a file", kept("new-folder/"));
    WRITES_FAIL(INVALID_ARGUMENT, "not the name of a file", kept("new-folder\\"));
    WRITES_FAIL(INVALID_ARGUMENT, "not the name of a file", kept("new-folder/."));
    WRITES_FAIL(INVALID_ARGUMENT, "reserved for temporary files", kept(".mnist-3.tmp"));
    WRITES_FAIL(INVALID_ARGUMENT, "reserved for temporary files", kept(".MNIST-3.TMP"));
    WRITES_FAIL(NOT_FOUND, "new-folder/x: temporary file beside it", kept("new-folder/x"));
    READS_FAIL(NOT_FOUND, "none: ", kept("none"));
    TRUE(!exists(in("new-folder")) && nothing_left(folder));
}

/* Every call works with its file in the folder `where`, which may end with a separator. */
static void work_in(const char *where, const char *separator)
{
    char path[8192];
    for (int i = 0; i < CALLS; i++) {
        snprintf(path, sizeof path, "%s%s%s-%d-%s", where, separator, OTHER, i, calls[i].good);
        if (!calls[i].writes || calls[i].run == fit_from)
            TRUE(CopyFileW(wide(in(calls[i].good)), wide(path), FALSE));
        expect_status(__LINE__, calls[i].place, calls[i].run(path), MNIST_OK, "");
        if (calls[i].run == save_weights) {
            WORKS(save_weights(path)); /* replaced */
            TRUE(same_bytes(path, in("weights")));
        }
        TRUE(exists(path) && DeleteFileW(wide(path)));
    }
    TRUE(nothing_left(where));
}

/* Characters of every kind, and more than 260 of them. */
static void long_and_other_names(void)
{
    char path[8192], verbatim[8192];
    snprintf(path, sizeof path, "%s\\%s", folder, OTHER);
    TRUE(CreateDirectoryW(wide(path), NULL));
    work_in(path, "/");
    while (strlen(path) < 2000) {
        snprintf(path + strlen(path), sizeof path - strlen(path), "\\%s and more", OTHER);
        TRUE(CreateDirectoryW(wide(path), NULL));
        if (strlen(path) > 200 && strlen(path) < 400)
            work_in(path, "\\"); /* around the limit, in bytes and in characters */
    }
    work_in(path, "/");
    work_in(path, "\\..\\.\\");
    TRUE(WideCharToMultiByte(CP_UTF8, 0, wide(path), -1, verbatim, sizeof verbatim, NULL, NULL) > 0);
    TRUE(strncmp(verbatim, "\\\\?\\", 4) == 0);
    work_in(verbatim, "\\");
    for (char *c = path; *c; c++)
        *c = *c == '\\' ? '/' : *c;
    work_in(path, "/");

    /* Relative to the working folder, and to its drive. */
    wchar_t start[1024];
    TRUE(GetCurrentDirectoryW(1024, start) > 0 && SetCurrentDirectoryW(wide(folder) + 4));
    WORKS(save_weights("relative"));
    TRUE(same_bytes(in("relative"), in("weights")));
    WORKS(load_weights(strchr(in("relative"), ':') ? strchr(in("relative"), ':') + 1 : "relative"));
    TRUE(SetCurrentDirectoryW(start));
}

static DWORD WINAPI close_soon(void *file)
{
    Sleep(100);
    CloseHandle(file);
    return 0;
}

/* An open file is replaced if it is shared, or is closed soon; otherwise it remains, and the message says so. */
static void replaced_while_open(int shared_too)
{
    char first[16], again[16];
    DWORD read;
    put(in("w"), "the old one");
    HANDLE reader = opened(in("w"), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE);
    WRITES_FAIL(IO, "w: cannot be replaced: a program has it open", in("w"));
    TRUE(ReadFile(reader, first, sizeof first, &read, NULL) && read == 11 && memcmp(first, "the old one", 11) == 0);
    HANDLE thread = CreateThread(NULL, 0, close_soon, reader, 0, NULL);
    WORKS(save_weights(in("w")));
    TRUE(WaitForSingleObject(thread, INFINITE) == 0 && CloseHandle(thread));
    TRUE(same_bytes(in("w"), in("weights")) && nothing_left(folder));

    put(in("w"), "the old one");
    reader = opened(in("w"), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE);
    if (shared_too) {
        WORKS(save_weights(in("w")));
        TRUE(same_bytes(in("w"), in("weights")));
    } else { /* Wine does not replace open files */
        FAILS(IO, "perhaps since a program has it open", save_weights(in("w")));
    }
    TRUE(ReadFile(reader, again, sizeof again, &read, NULL) && read == 11 && memcmp(again, "the old one", 11) == 0);
    CloseHandle(reader);
    TRUE(nothing_left(folder));

    TRUE(SetFileAttributesW(wide(in("w")), FILE_ATTRIBUTE_READONLY));
    WRITES_FAIL(IO, "w: cannot be replaced: it is read-only", in("w"));
    TRUE(SetFileAttributesW(wide(in("w")), FILE_ATTRIBUTE_NORMAL) && nothing_left(folder));
}

/* A temporary file of a killed process is removed, that of a running one is not. */
static void leftovers(void)
{
    put(in(".mnist-0.tmp"), "stale");
    put(in(".mnist-2.tmp"), "stale");
    HANDLE live = CreateFileW(wide(in(".mnist-1.tmp")), GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, CREATE_NEW, 0, NULL);
    WORKS(save_weights(in("w")));
    TRUE(!exists(in(".mnist-0.tmp")) && exists(in(".mnist-1.tmp")) && !exists(in(".mnist-2.tmp")));
    CloseHandle(live);
    WORKS(save_weights(in("w")));
    TRUE(!exists(in(".mnist-1.tmp")));
}

static int writing;

static DWORD WINAPI write_to_nobody(void *handle)
{
    DWORD written;
    while (get(&writing))
        WriteFile(handle, "nobody", 6, &written, NULL);
    return 0;
}

/* The library never writes to a handle value that standard error had, even if a file gets this value. */
static void standard_handles(void)
{
    HANDLE before = GetStdHandle(STD_ERROR_HANDLE);
    for (int i = 0; i < 40; i++) {
        HANDLE other = opened(in("arrays.npz"), GENERIC_READ, 7);
        SetStdHandle(STD_ERROR_HANDLE, other);
        CloseHandle(other); /* the next opened file is likely to get this value */
        set(&writing, 1);
        HANDLE thread = CreateThread(NULL, 0, write_to_nobody, other, 0, NULL);
        const mnist_status status = i % 2 ? save_weights(in("w")) : fit_to(in("w"));
        set(&writing, 0);
        WaitForSingleObject(thread, INFINITE);
        SetStdHandle(STD_ERROR_HANDLE, before);
        CloseHandle(thread);
        TRUE(status == MNIST_OK);
        TRUE(same_bytes(in("w"), in(i % 2 ? "weights" : "checkpoint")));
    }
}

/* A stdout in UTF-16 mode accepts none of the library's text. */
static void wide_stdout(void)
{
    fflush(stdout);
    const int mode = _setmode(_fileno(stdout), _O_U16TEXT);
    FAILS(IO, "stdout is wide-oriented", mnist_model_summary(model, NULL, NULL, error));
    TRUE(_setmode(_fileno(stdout), mode) != -1);
    WORKS(mnist_model_summary(model, NULL, NULL, error));
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    begin(argv[1]);
    ALL_WORK();
    no_files();
    names();
    long_and_other_names();
    replaced_while_open(GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") == NULL);
    leftovers();
    standard_handles();
    wide_stdout();
    return end();
}
