// fs.*: files and directories through the Win32 calls, as they answer.
#include "probe.h"
#include <string.h>

static bool make_tree(const WCHAR *path);

// The directory that the request works in, for the time of one operation.
static bool enter(Request *request, WCHAR *before) {
    const WCHAR *directory = maybe_text(request, "cwd");
    GetCurrentDirectoryW(MAX_PATH, before);
    if (request->bad) return false;
    if (directory && !enter_directory(directory)) {
        unsupported(request, "cwd: there can be no such directory here");
        return false;
    }
    return true;
}

static void answer(Request *request, bool done, const WCHAR *before) {
    DWORD error = GetLastError();
    SetCurrentDirectoryW(before);
    if (done) ok(request);
    else fail(request, error);
}

// Whether a path may be overwritten or deleted: only what the session made.
static bool is_ours(Request *request, const WCHAR *path) {
    if (GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES || was_made(path)) return true;
    // A device keeps nothing.
    WCHAR full[16];
    if (GetFullPathNameW(path, 16, full, NULL) && !wcsncmp(full, L"\\\\.\\", 4)) return true;
    unsupported(request, "the session did not make this file, so it is left alone");
    return false;
}

static bool make_tree(const WCHAR *path) {
    WCHAR *full = take((wcslen(path) + 8) * sizeof *full);
    wcscpy(full, wcsncmp(path, L"\\\\?\\", 4) ? L"\\\\?\\" : L"");
    wcscat(full, path);
    for (WCHAR *c = full; *c; c++)
        if (*c == '/') *c = '\\';
    size_t length = wcslen(full);
    while (length > 7 && full[length - 1] == '\\') full[--length] = 0;
    for (WCHAR *end = full + 7;; end++) {
        if (*end && *end != '\\') continue;
        WCHAR stop = *end;
        *end = 0;
        if (CreateDirectoryW(full, NULL)) note_made(full);
        else if (GetLastError() != ERROR_ALREADY_EXISTS && !stop) return false;
        if (!stop) return true;
        *end = stop;
    }
}

bool enter_directory(const WCHAR *directory) {
    if (SetCurrentDirectoryW(directory)) return true;
    bool is_full = wcslen(directory) > 3 && directory[1] == ':';
    return is_full && make_tree(directory) && SetCurrentDirectoryW(directory);
}

static void fs_make_tree(Request *request) {
    const WCHAR *path = text_of(request, "path");
    if (request->bad) return;
    const WCHAR *drive = wcsncmp(path, L"\\\\?\\", 4) ? path : path + 4;
    if (wcslen(drive) < 3 || drive[1] != ':') return bad(request, "path", "is a full path");
    if (make_tree(path)) ok(request);
    else fail(request, GetLastError());
}

bool write_file(const WCHAR *path, const void *bytes, size_t length) {
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) return false;
    DWORD count;
    bool done = WriteFile(file, bytes, (DWORD)length, &count, NULL) && count == length;
    CloseHandle(file);
    return done;
}

static void fs_create_file(Request *request) {
    WCHAR before[MAX_PATH];
    const WCHAR *path = text_of(request, "path"), *content = maybe_text(request, "content");
    if (request->bad || !enter(request, before)) return;
    if (!is_ours(request, path)) {
        SetCurrentDirectoryW(before);
        return;
    }
    const char *bytes = content ? narrow(content) : "";
    bool done = write_file(path, bytes, strlen(bytes));
    if (done) note_made(path);
    answer(request, done, before);
}

static void fs_create_dir(Request *request) {
    WCHAR before[MAX_PATH];
    const WCHAR *path = text_of(request, "path");
    if (request->bad || !enter(request, before)) return;
    bool done = CreateDirectoryW(path, NULL);
    if (done) note_made(path);
    answer(request, done, before);
}

static void fs_attributes(Request *request) {
    WCHAR before[MAX_PATH];
    const WCHAR *path = text_of(request, "path");
    if (request->bad || !enter(request, before)) return;
    DWORD attributes = GetFileAttributesW(path), error = GetLastError();
    SetCurrentDirectoryW(before);
    if (attributes == INVALID_FILE_ATTRIBUTES) return fail(request, error);
    put(request->out, "\"ok\":{\"attributes\":");
    put_number(request->out, attributes);
    put(request->out, "}");
}

static void fs_delete_file(Request *request) {
    WCHAR before[MAX_PATH];
    const WCHAR *path = text_of(request, "path");
    if (request->bad || !enter(request, before)) return;
    DWORD attributes = GetFileAttributesW(path);
    bool is_directory = attributes != INVALID_FILE_ATTRIBUTES && attributes & FILE_ATTRIBUTE_DIRECTORY;
    if (!is_directory && !is_ours(request, path)) {
        SetCurrentDirectoryW(before);
        return;
    }
    answer(request, DeleteFileW(path), before);
}

static void fs_remove_dir(Request *request) {
    WCHAR before[MAX_PATH];
    const WCHAR *path = text_of(request, "path");
    if (request->bad || !enter(request, before)) return;
    DWORD attributes = GetFileAttributesW(path);
    bool is_file = attributes != INVALID_FILE_ATTRIBUTES && !(attributes & FILE_ATTRIBUTE_DIRECTORY);
    if (!is_file && !is_ours(request, path)) {
        SetCurrentDirectoryW(before);
        return;
    }
    answer(request, RemoveDirectoryW(path), before);
}

// The directory stays changed until the session is reset.
static void fs_set_cwd(Request *request) {
    WCHAR before[MAX_PATH];
    GetCurrentDirectoryW(MAX_PATH, before);
    const WCHAR *path = text_of(request, "path");
    if (request->bad) return;
    note_made(L"C:\\faultlab-start-directory");
    if (SetCurrentDirectoryW(path)) ok(request);
    else fail(request, GetLastError());
}

typedef DWORD(WINAPI *NameCall)(LPCWSTR, LPWSTR, DWORD);

static void name_by(Request *request, NameCall call) {
    WCHAR before[MAX_PATH];
    const WCHAR *path = text_of(request, "path");
    if (request->bad) return;
    // Some implementations have a fixed buffer of 1024 behind these calls.
    if (wcslen(path) > 1000) return unsupported(request, "a path of more than 1000 characters");
    if (!enter(request, before)) return;
    WCHAR *name = take(32768 * sizeof *name);
    DWORD length = call(path, name, 32768), error = GetLastError();
    SetCurrentDirectoryW(before);
    if (!length) return fail(request, error);
    put(request->out, "\"ok\":{\"path\":");
    put_wide(request->out, name, length);
    put(request->out, "}");
}

static void fs_long_name(Request *request) {
    name_by(request, GetLongPathNameW);
}

static void fs_short_name(Request *request) {
    name_by(request, GetShortPathNameW);
}

static DWORD WINAPI full_name(LPCWSTR path, LPWSTR name, DWORD room) {
    return GetFullPathNameW(path, room, name, NULL);
}

static void fs_full_name(Request *request) {
    name_by(request, full_name);
}

static void fs_security(Request *request) {
    const WCHAR *path = text_of(request, "path");
    if (request->bad) return;
    DWORD length = 0;
    GetFileSecurityW(path, PARTS, NULL, 0, &length);
    PSECURITY_DESCRIPTOR descriptor = take(length + 1);
    if (!GetFileSecurityW(path, PARTS, descriptor, length, &length)) return fail(request, GetLastError());
    put_sddl(request, descriptor);
}

static void fs_set_security(Request *request) {
    const WCHAR *path = text_of(request, "path"), *sddl = text_of(request, "sddl");
    if (request->bad || !is_ours(request, path)) return;
    BYTE *descriptor = descriptor_of(sddl);
    if (!descriptor) return fail(request, GetLastError());
    SECURITY_INFORMATION parts = parts_of(descriptor);
    if (SetFileSecurityW(path, parts, descriptor)) ok(request);
    else fail(request, GetLastError());
    LocalFree(descriptor);
}

const Entry FILES[] = {
    {"fs.make_tree", fs_make_tree},   {"fs.create_file", fs_create_file}, {"fs.create_dir", fs_create_dir},
    {"fs.attributes", fs_attributes}, {"fs.delete_file", fs_delete_file}, {"fs.remove_dir", fs_remove_dir},
    {"fs.set_cwd", fs_set_cwd},       {"fs.long_name", fs_long_name},     {"fs.short_name", fs_short_name},
    {"fs.full_name", fs_full_name},   {"fs.security", fs_security},       {"fs.set_security", fs_set_security},
    {NULL, NULL},
};
