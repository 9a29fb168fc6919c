// Running things: cmd.run, and resolve by running what is found.
#include "probe.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- a folder of the session's own
static WCHAR folder[MAX_PATH];

WCHAR *scratch(const WCHAR *name) {
    if (!*folder) {
        WCHAR temp[MAX_PATH];
        GetTempPathW(MAX_PATH - 64, temp);
        wsprintfW(folder, L"%sfaultlab-%lu", temp, GetCurrentProcessId());
    }
    if (CreateDirectoryW(folder, NULL)) note_made(folder);
    WCHAR *path = take((wcslen(folder) + wcslen(name) + 2) * sizeof *path);
    wcscpy(path, folder);
    wcscat(path, L"\\");
    wcscat(path, name);
    note_made(path);
    return path;
}

static HANDLE open_shared(const WCHAR *path, bool for_output) {
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    return CreateFileW(path, for_output ? GENERIC_READ | GENERIC_WRITE : GENERIC_READ,
                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, &inherited,
                       for_output ? CREATE_ALWAYS : OPEN_EXISTING, 0, NULL);
}

static char *read_all(HANDLE file, size_t *length) {
    DWORD size = GetFileSize(file, NULL), count = 0;
    char *bytes = take(size + 2);
    SetFilePointer(file, 0, NULL, FILE_BEGIN);
    ReadFile(file, bytes, size, &count, NULL);
    bytes[count] = bytes[count + 1 < size + 2 ? count + 1 : count] = 0;
    *length = count;
    return bytes;
}

// Output goes to files: what a server process inherits must not keep a pipe of ours open. The whole job is
// ended when its time is up.
DWORD run(const WCHAR *command, const WCHAR *directory, WCHAR *environment, DWORD wait_ms, DWORD *exit_code,
          char **output, size_t *output_length, char **errors, size_t *errors_length) {
    HANDLE out = open_shared(scratch(L"stdout"), true), err = open_shared(scratch(L"stderr"), true);
    HANDLE in = open_shared(L"NUL", false);
    STARTUPINFOW start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    start.hStdInput = in;
    start.hStdOutput = out;
    start.hStdError = err;
    PROCESS_INFORMATION process;
    WCHAR *line = take((wcslen(command) + 1) * sizeof *line);
    wcscpy(line, command);
    HANDLE job = CreateJobObjectW(NULL, NULL);
    DWORD error = 0;
    if (CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_UNICODE_ENVIRONMENT | CREATE_SUSPENDED, environment,
                       directory, &start, &process)) {
        AssignProcessToJobObject(job, process.hProcess);
        ResumeThread(process.hThread);
        if (WaitForSingleObject(process.hProcess, wait_ms) != WAIT_OBJECT_0) {
            TerminateJobObject(job, 258);
            TerminateProcess(process.hProcess, 258);
            error = WAIT_TIMEOUT;
        } else {
            GetExitCodeProcess(process.hProcess, exit_code);
        }
        CloseHandle(process.hProcess);
        CloseHandle(process.hThread);
    } else {
        error = GetLastError();
    }
    *output = read_all(out, output_length);
    *errors = read_all(err, errors_length);
    CloseHandle(out);
    CloseHandle(err);
    CloseHandle(in);
    CloseHandle(job);
    return error;
}

// This process's block with the request's variables in it; `only` are names that win.
static WCHAR *block_with(const Value *vars, const WCHAR *const *extra) {
    WCHAR *own = GetEnvironmentStringsW();
    size_t room = 2;
    for (WCHAR *entry = own; *entry; entry += wcslen(entry) + 1) room += wcslen(entry) + 1;
    for (const Value *var = vars ? vars->first : NULL; var; var = var->next) room += var->name_length + var->length + 2;
    for (const WCHAR *const *name = extra; name && *name; name += 2) room += wcslen(name[0]) + wcslen(name[1]) + 2;
    WCHAR *block = take(room * sizeof *block), *at = block;
    for (WCHAR *entry = own; *entry; entry += wcslen(entry) + 1) {
        const WCHAR *sign = wcschr(entry + 1, '=');
        bool replaced = false;
        for (const Value *var = vars ? vars->first : NULL; var && sign; var = var->next)
            replaced |= var->name_length == (size_t)(sign - entry) && !_wcsnicmp(var->name, entry, var->name_length);
        for (const WCHAR *const *name = extra; name && *name && sign; name += 2)
            replaced |= wcslen(*name) == (size_t)(sign - entry) && !_wcsnicmp(*name, entry, wcslen(*name));
        if (replaced) continue;
        wcscpy(at, entry);
        at += wcslen(entry) + 1;
    }
    for (const Value *var = vars ? vars->first : NULL; var; var = var->next) {
        if (var->kind != J_STRING) continue;
        memcpy(at, var->name, var->name_length * sizeof *at);
        at += var->name_length;
        *at++ = '=';
        wcscpy(at, var->text);
        at += wcslen(at) + 1;
    }
    for (const WCHAR *const *name = extra; name && *name; name += 2) {
        wcscpy(at, name[0]);
        wcscat(at, L"=");
        wcscat(at, name[1]);
        at += wcslen(at) + 1;
    }
    *at = 0;
    FreeEnvironmentStringsW(own);
    return block;
}

// Makes the folder of a file; what is made is noted.
static void make_folders(const WCHAR *path) {
    WCHAR *folder_of = take((wcslen(path) + 1) * sizeof *folder_of);
    wcscpy(folder_of, path);
    for (WCHAR *c = folder_of + 3; wcslen(folder_of) > 3 && *c; c++) {
        if (*c != '\\') continue;
        *c = 0;
        if (CreateDirectoryW(folder_of, NULL)) note_made(folder_of);
        *c = '\\';
    }
}

static void put_output(Request *request, const char *bytes, size_t length) {
    UINT page = GetOEMCP();
    int count = length ? MultiByteToWideChar(page, 0, bytes, (int)length, NULL, 0) : 0;
    WCHAR *text = take(((size_t)count + 1) * sizeof *text);
    if (length) MultiByteToWideChar(page, 0, bytes, (int)length, text, count);
    put_wide(request->out, text, (size_t)count);
}

static int wine_major(void) {
    const char *(CDECL * wine)(void) = (void *)GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version");
    return wine ? atoi(wine()) : 0;
}

static void cmd_run(Request *request) {
    int wine = wine_major();
    if (wine && wine < 10)
        return unsupported(request, "cmd.run: cmd.exe of Wine before 10 runs both sides of && and ||");
    const WCHAR *script = text_of(request, "script"), *directory = maybe_text(request, "cwd");
    const Value *env = field(request->fields, "env"), *files = field(request->fields, "files");
    DWORD bits = 64;
    if (env && env->kind != J_OBJECT) bad(request, "env", "is an object of texts");
    if (files && files->kind != J_OBJECT) bad(request, "files", "is an object of texts");
    if (field(request->fields, "bits")) number_of(request, "bits", &bits);
    if (request->bad) return;
    // Debian's Wine has no 32-bit programs unless asked for, and starts them in silence where they lack.
    if (bits == 32 && wine) return unsupported(request, "cmd.run: a 32-bit cmd.exe in Wine");
    for (const Value *file = files ? files->first : NULL; file; file = file->next) {
        if (file->kind != J_STRING) return bad(request, "files", "is an object of texts");
        if (GetFileAttributesW(file->name) != INVALID_FILE_ATTRIBUTES && !was_made(file->name))
            return unsupported(request, "a file that the session did not make would be overwritten");
        make_folders(file->name);
        const char *bytes = narrow(file->text);
        if (!write_file(file->name, bytes, strlen(bytes))) return fail(request, GetLastError());
        note_made(file->name);
        // It may be a script too, or a .reg file.
        note_script(file->text);
    }
    if (directory && GetFileAttributesW(directory) == INVALID_FILE_ATTRIBUTES) {
        WCHAR *below = take((wcslen(directory) + 3) * sizeof *below);
        wcscpy(below, directory);
        wcscat(below, L"\\");
        make_folders(below);
    }
    note_script(script);
    WCHAR *path = scratch(L"BATCH.bat");
    int length = WideCharToMultiByte(CP_OEMCP, 0, script, -1, NULL, 0, NULL, NULL);
    char *bytes = take((size_t)length);
    WideCharToMultiByte(CP_OEMCP, 0, script, -1, bytes, length, NULL, NULL);
    if (!write_file(path, bytes, (size_t)length - 1)) return fail(request, GetLastError());
    WCHAR *command = take((wcslen(path) + 48) * sizeof *command);
    wcscpy(command, bits == 32 ? L"C:\\Windows\\SysWOW64\\cmd.exe /c \"" : L"cmd.exe /c \"");
    wcscat(command, path);
    wcscat(command, L"\"");
    DWORD exit_code = 0;
    char *output, *errors;
    size_t output_length, errors_length;
    DWORD error = run(command, directory, block_with(env, NULL), 30000, &exit_code, &output, &output_length, &errors,
                      &errors_length);
    if (error) return fail(request, error);
    put(request->out, "\"ok\":{\"exit\":");
    put_number(request->out, exit_code);
    put(request->out, ",\"stdout\":");
    put_output(request, output, output_length);
    put(request->out, ",\"stderr\":");
    put_output(request, errors, errors_length);
    put(request->out, "}");
}

// ---- resolve: the files are made, each able to say its own name, and the command is run
#define WHO L"FAULTLAB_WHO"

// Says which file this is, if that is what it was started for.
void say_who(void) {
    WCHAR name[MAX_PATH];
    char bytes[MAX_PATH * 3];
    DWORD count;
    if (!GetEnvironmentVariableW(WHO, name, MAX_PATH)) return;
    GetModuleFileNameW(NULL, name, MAX_PATH);
    int length = WideCharToMultiByte(CP_UTF8, 0, name, -1, bytes, sizeof bytes, NULL, NULL);
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), bytes, (DWORD)(length > 0 ? length - 1 : 0), &count, NULL);
    ExitProcess(0);
}

static const WCHAR *extension(const WCHAR *path) {
    const WCHAR *dot = wcsrchr(path, '.'), *slash = wcsrchr(path, '\\');
    return dot && (!slash || dot > slash) ? dot : L"";
}

static bool make_speaking(Request *request, const WCHAR *path) {
    size_t length = wcslen(path);
    if (length < 4 || path[1] != ':') return bad(request, "files", "is a list of full paths"), false;
    if (GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES && !was_made(path)) {
        unsupported(request, "files: the machine has one of them already");
        return false;
    }
    make_folders(path);
    bool done;
    if (path[length - 1] == '\\') return true;
    const WCHAR *kind = extension(path);
    if (!_wcsicmp(kind, L".bat") || !_wcsicmp(kind, L".cmd")) {
        const char *script = "@echo %~f0\r\n";
        done = write_file(path, script, strlen(script));
    } else if (!_wcsicmp(kind, L".exe") || !_wcsicmp(kind, L".com")) {
        WCHAR own[MAX_PATH];
        GetModuleFileNameW(NULL, own, MAX_PATH);
        done = CopyFileW(own, path, FALSE);
    } else {
        // What needs another program to run cannot say its name.
        done = write_file(path, "x", 1);
    }
    if (!done) return fail(request, GetLastError()), false;
    note_made(path);
    return true;
}

// The path as its directories spell it.
static WCHAR *spelled(const WCHAR *path) {
    WCHAR *name = take(32768 * sizeof *name);
    if (wcslen(path) > 1000 || !GetLongPathNameW(path, name, 32768)) wcscpy(name, path);
    return name;
}

static void resolve_here(Request *request) {
    const Value *shell = field(request->fields, "shell"), *path = field(request->fields, "path");
    const Value *env = field(request->fields, "env"), *files = field(request->fields, "files");
    const WCHAR *command = text_of(request, "command"), *directory = text_of(request, "cwd");
    const WCHAR *pathext = maybe_text(request, "pathext");
    if (path && path->kind != J_LIST) bad(request, "path", "is a list of texts");
    if (files && files->kind != J_LIST) bad(request, "files", "is a list of texts");
    if (request->bad) return;
    bool by_cmd = is_text(shell, "cmd");
    if (!by_cmd && !is_text(shell, "create_process"))
        return unsupported(request, "resolve: there is no PowerShell 2 here that could be asked");
    size_t room = 1;
    for (const Value *entry = path ? path->first : NULL; entry; entry = entry->next)
        room += entry->kind == J_STRING ? entry->length + 1 : 0;
    WCHAR *list = take(room * sizeof *list);
    *list = 0;
    for (const Value *entry = path ? path->first : NULL; entry; entry = entry->next) {
        if (entry->kind != J_STRING) return bad(request, "path", "is a list of texts");
        if (entry != path->first) wcscat(list, L";");
        wcscat(list, entry->text);
    }
    bool silent = false;
    for (const Value *file = files ? files->first : NULL; file; file = file->next) {
        if (file->kind != J_STRING) return bad(request, "files", "is a list of texts");
        if (!make_speaking(request, file->text)) return;
        const WCHAR *kind = extension(file->text);
        silent |= *kind && _wcsicmp(kind, L".bat") && _wcsicmp(kind, L".cmd") && _wcsicmp(kind, L".exe") &&
                  _wcsicmp(kind, L".com");
    }
    if (silent) return unsupported(request, "resolve: one of the files needs another program to run");
    WCHAR *below = take((wcslen(directory) + 3) * sizeof *below);
    wcscpy(below, directory);
    wcscat(below, L"\\");
    make_folders(below);
    WCHAR before[MAX_PATH], *old_path = take(32768 * sizeof *old_path);
    GetCurrentDirectoryW(MAX_PATH, before);
    if (!SetCurrentDirectoryW(directory)) return fail(request, GetLastError());
    DWORD exit_code = 0;
    char *output = "", *errors;
    size_t output_length = 0, errors_length;
    DWORD error;
    if (by_cmd) {
        WCHAR system[MAX_PATH];
        GetSystemDirectoryW(system, MAX_PATH);
        WCHAR *line = take((wcslen(system) + wcslen(command) + 32) * sizeof *line);
        wcscpy(line, system);
        wcscat(line, L"\\cmd.exe /s /c \"");
        wcscat(line, command);
        wcscat(line, L"\"");
        const WCHAR *extra[] = {L"PATH", list, L"PATHEXT", pathext ? pathext : L".COM;.EXE;.BAT;.CMD", WHO, L"1", NULL};
        error = run(line, directory, block_with(env, extra), 30000, &exit_code, &output, &output_length, &errors,
                    &errors_length);
    } else {
        // The search is that of this process: with its PATH.
        DWORD had = GetEnvironmentVariableW(L"PATH", old_path, 32768);
        SetEnvironmentVariableW(L"PATH", list);
        const WCHAR *extra[] = {WHO, L"1", NULL};
        for (const Value *var = env ? env->first : NULL; var; var = var->next)
            if (var->kind == J_STRING) SetEnvironmentVariableW(var->name, var->text);
        error = run(command, directory, block_with(NULL, extra), 30000, &exit_code, &output, &output_length, &errors,
                    &errors_length);
        for (const Value *var = env ? env->first : NULL; var; var = var->next)
            if (var->kind == J_STRING) SetEnvironmentVariableW(var->name, NULL);
        SetEnvironmentVariableW(L"PATH", had ? old_path : NULL);
        if (error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND || error == ERROR_BAD_EXE_FORMAT) error = 0;
    }
    SetCurrentDirectoryW(before);
    if (error) return fail(request, error);
    while (output_length && (output[output_length - 1] == '\n' || output[output_length - 1] == '\r')) output_length--;
    output[output_length] = 0;
    WCHAR *found = take((output_length + 1) * sizeof *found);
    MultiByteToWideChar(by_cmd ? GetOEMCP() : CP_UTF8, 0, output, -1, found, (int)output_length + 1);
    bool is_file = output_length > 3 && found[1] == ':' && GetFileAttributesW(found) != INVALID_FILE_ATTRIBUTES;
    put(request->out, "\"ok\":{\"found\":");
    if (is_file) {
        WCHAR *name = spelled(found);
        put_wide(request->out, name, wcslen(name));
    } else {
        put(request->out, "null");
    }
    put(request->out, "}");
}

// The files are the request's alone: they go when it has been answered.
static void resolve(Request *request) {
    scratch(L"stdout");
    void *mark = undo_mark();
    resolve_here(request);
    undo_to(mark);
}

// For the harness itself: runs a command line as it is. The output is taken for UTF-8.
static void host_run(Request *request) {
    const WCHAR *command = text_of(request, "command"), *directory = maybe_text(request, "cwd");
    const Value *env = field(request->fields, "env");
    if (env && env->kind != J_OBJECT) bad(request, "env", "is an object of texts");
    if (request->bad) return;
    DWORD exit_code = 0;
    char *output[2];
    size_t length[2];
    DWORD error = run(command, directory, block_with(env, NULL), 50000, &exit_code, &output[0], &length[0], &output[1],
                      &length[1]);
    if (error) return fail(request, error);
    put(request->out, "\"ok\":{\"exit\":");
    put_number(request->out, exit_code);
    for (int i = 0; i < 2; i++) {
        put(request->out, i ? ",\"stderr\":" : ",\"stdout\":");
        int count = length[i] ? MultiByteToWideChar(CP_UTF8, 0, output[i], (int)length[i], NULL, 0) : 0;
        WCHAR *text = take(((size_t)count + 1) * sizeof *text);
        if (count) MultiByteToWideChar(CP_UTF8, 0, output[i], (int)length[i], text, count);
        put_wide(request->out, text, (size_t)count);
    }
    put(request->out, "}");
}

static void powershell_run(Request *request) {
    unsupported(request, "powershell.run: there is no PowerShell 2 here");
}

const Entry COMMANDS[] = {
    {"cmd.run", cmd_run},
    {"resolve", resolve},
    {"powershell.run", powershell_run},
    {"host.run", host_run},
    {NULL, NULL},
};
