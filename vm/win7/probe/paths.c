// path.*: what the system makes of a path's text.
#include "probe.h"
#include <winternl.h>

static FARPROC ntdll(const char *name) {
    return GetProcAddress(GetModuleHandleA("ntdll.dll"), name);
}

static void path_type(Request *request) {
    ULONG(WINAPI * type)(PCWSTR) = (void *)ntdll("RtlDetermineDosPathNameType_U");
    const WCHAR *path = text_of(request, "path");
    if (request->bad) return;
    if (!type) return unsupported(request, "RtlDetermineDosPathNameType_U is not there");
    put(request->out, "\"ok\":{\"type\":");
    put_number(request->out, type(path));
    put(request->out, "}");
}

static void path_device(Request *request) {
    ULONG(WINAPI * device)(PCWSTR) = (void *)ntdll("RtlIsDosDeviceName_U");
    const WCHAR *path = text_of(request, "path");
    if (request->bad) return;
    if (!device) return unsupported(request, "RtlIsDosDeviceName_U is not there");
    ULONG place = device(path);
    put(request->out, "\"ok\":{\"offset\":");
    put_number(request->out, place >> 16);
    put(request->out, ",\"length\":");
    put_number(request->out, place & 0xFFFF);
    put(request->out, "}");
}

static void path_full(Request *request) {
    WCHAR before[MAX_PATH];
    const WCHAR *path = text_of(request, "path"), *directory = maybe_text(request, "cwd");
    if (request->bad) return;
    GetCurrentDirectoryW(MAX_PATH, before);
    if (directory && !enter_directory(directory))
        return unsupported(request, "cwd: there can be no such directory here");
    WCHAR *full = take(65536 * sizeof *full), *part = NULL;
    SetLastError(0);
    DWORD length = GetFullPathNameW(path, 65536, full, &part), error = GetLastError();
    SetCurrentDirectoryW(before);
    if (!length || length >= 65536) return fail(request, error ? error : ERROR_FILENAME_EXCED_RANGE);
    put(request->out, "\"ok\":{\"full\":");
    put_wide(request->out, full, length);
    put(request->out, ",\"file_part\":");
    if (part) put_wide(request->out, part, wcslen(part));
    else put(request->out, "null");
    put(request->out, "}");
}

static void path_is_8dot3(Request *request) {
    BOOLEAN(WINAPI * legal)(UNICODE_STRING *, void *, BOOLEAN *) = (void *)ntdll("RtlIsNameLegalDOS8Dot3");
    const WCHAR *name = text_of(request, "name");
    if (request->bad) return;
    if (!legal) return unsupported(request, "RtlIsNameLegalDOS8Dot3 is not there");
    UNICODE_STRING text = {.Length = (USHORT)(wcslen(name) * 2), .MaximumLength = (USHORT)(wcslen(name) * 2 + 2)};
    text.Buffer = (WCHAR *)name;
    BOOLEAN spaces = FALSE;
    bool is_legal = legal(&text, NULL, &spaces);
    put(request->out, is_legal ? "\"ok\":{\"legal\":true" : "\"ok\":{\"legal\":false");
    // Of a name that is not legal nothing is said about spaces.
    if (is_legal) put(request->out, spaces ? ",\"has_spaces\":true" : ",\"has_spaces\":false");
    put(request->out, "}");
}

const Entry PATHS[] = {
    {"path.type", path_type},
    {"path.device", path_device},
    {"path.full", path_full},
    {"path.is_8dot3", path_is_8dot3},
    {NULL, NULL},
};
