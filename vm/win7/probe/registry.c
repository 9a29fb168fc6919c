// reg.*: the registry through its API.
#include "probe.h"
#include <string.h>
#include <wctype.h>

bool root_of(const WCHAR *key, HKEY *root, const WCHAR **sub) {
    static const struct {
        const WCHAR *name;
        HKEY root;
    } roots[] = {
        {L"HKLM", HKEY_LOCAL_MACHINE},  {L"HKEY_LOCAL_MACHINE", HKEY_LOCAL_MACHINE},
        {L"HKCU", HKEY_CURRENT_USER},   {L"HKEY_CURRENT_USER", HKEY_CURRENT_USER},
        {L"HKCR", HKEY_CLASSES_ROOT},   {L"HKEY_CLASSES_ROOT", HKEY_CLASSES_ROOT},
        {L"HKU", HKEY_USERS},           {L"HKEY_USERS", HKEY_USERS},
        {L"HKCC", HKEY_CURRENT_CONFIG}, {L"HKEY_CURRENT_CONFIG", HKEY_CURRENT_CONFIG},
    };
    const WCHAR *slash = wcschr(key, '\\');
    size_t length = slash ? (size_t)(slash - key) : wcslen(key);
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        if (wcslen(roots[i].name) == length && !_wcsnicmp(roots[i].name, key, length)) {
            *root = roots[i].root;
            *sub = slash ? slash + 1 : L"";
            return true;
        }
    }
    return false;
}

typedef struct {
    HKEY root;
    const WCHAR *sub;
    REGSAM view;
} Key;

// The bitness of the caller that the request names decides the view, as KEY_WOW64_32KEY does from 64 bits.
static bool key_of(Request *request, Key *key) {
    const WCHAR *text = text_of(request, "key");
    DWORD view = 0, bits = 64;
    if (request->bad) return false;
    if (!root_of(text, &key->root, &key->sub)) {
        bad(request, "key", "begins with HKLM, HKCU, HKCR, HKU or HKCC");
        return false;
    }
    if (field(request->fields, "bits") && (!number_of(request, "bits", &bits) || (bits != 32 && bits != 64))) {
        bad(request, "bits", "is 32 or 64");
        return false;
    }
    if (field(request->fields, "view") && (!number_of(request, "view", &view) || (view != 32 && view != 64))) {
        bad(request, "view", "is 32 or 64");
        return false;
    }
    if (!view) view = bits;
    key->view = view == 32 ? KEY_WOW64_32KEY : KEY_WOW64_64KEY;
    return true;
}

static bool done(Request *request, LSTATUS status) {
    if (status == ERROR_SUCCESS) return true;
    fail(request, (DWORD)status);
    return false;
}

static bool open_for(Request *request, const Key *key, REGSAM access, HKEY *handle) {
    return done(request, RegOpenKeyExW(key->root, key->sub, 0, access | key->view, handle));
}

static void reg_open(Request *request) {
    Key key;
    DWORD access;
    HKEY handle;
    if (!key_of(request, &key) || !mask_of(request, "access", KEY_READ, &access)) return;
    // A view that the mask names is the caller's own choice.
    REGSAM view = access & (KEY_WOW64_32KEY | KEY_WOW64_64KEY) ? 0 : key.view;
    if (!done(request, RegOpenKeyExW(key.root, key.sub, 0, access | view, &handle))) return;
    RegCloseKey(handle);
    ok(request);
}

static void reg_create(Request *request) {
    Key key;
    HKEY handle;
    DWORD disposition = 0;
    if (!key_of(request, &key)) return;
    bool is_volatile = flag_of(request, "volatile");
    const WCHAR *sddl = maybe_text(request, "sddl");
    if (request->bad) return;
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, NULL, FALSE};
    if (sddl) {
        attributes.lpSecurityDescriptor = descriptor_of(sddl);
        if (!attributes.lpSecurityDescriptor) return fail(request, GetLastError());
    }
    note_key_created(key.root, key.sub, key.view);
    DWORD options = is_volatile ? REG_OPTION_VOLATILE : REG_OPTION_NON_VOLATILE;
    LSTATUS status = RegCreateKeyExW(key.root, key.sub, 0, NULL, options, MAXIMUM_ALLOWED | key.view,
                                     sddl ? &attributes : NULL, &handle, &disposition);
    if (sddl) LocalFree(attributes.lpSecurityDescriptor);
    if (!done(request, status)) return;
    RegCloseKey(handle);
    put(request->out, "\"ok\":{\"disposition\":");
    put_text(request->out, disposition == REG_CREATED_NEW_KEY ? "created" : "opened");
    put(request->out, "}");
}

static void reg_set(Request *request) {
    Key key;
    HKEY handle;
    DWORD type;
    BYTE *data;
    size_t length;
    if (!key_of(request, &key)) return;
    const WCHAR *name = text_of(request, "name");
    if (request->bad || !number_of(request, "type", &type) || !hex_of(request, "data", &data, &length)) return;
    if (!open_for(request, &key, KEY_SET_VALUE, &handle)) return;
    note_key(key.root, key.sub, key.view);
    LSTATUS status = RegSetValueExW(handle, name, 0, type, data, (DWORD)length);
    RegCloseKey(handle);
    if (done(request, status)) ok(request);
}

static void reg_get(Request *request) {
    Key key;
    HKEY handle;
    if (!key_of(request, &key)) return;
    const WCHAR *name = text_of(request, "name");
    if (request->bad || !open_for(request, &key, KEY_QUERY_VALUE, &handle)) return;
    DWORD type = 0, room = 0, length;
    BYTE *data;
    LSTATUS status;
    do {
        status = RegQueryValueExW(handle, name, NULL, NULL, NULL, &room);
        length = room;
        data = take(room + 1);
        if (!status) status = RegQueryValueExW(handle, name, NULL, &type, data, &length);
    } while (status == ERROR_MORE_DATA);
    RegCloseKey(handle);
    if (!done(request, status)) return;
    // A missing terminator is added where the buffer has room for it: what is stored ends before.
    if (length > room) length = room;
    put(request->out, "\"ok\":{\"type\":");
    put_number(request->out, type);
    put(request->out, ",\"data\":");
    put_hex(request->out, data, length);
    put(request->out, "}");
}

static void reg_keys(Request *request) {
    Key key;
    HKEY handle;
    if (!key_of(request, &key) || !open_for(request, &key, KEY_ENUMERATE_SUB_KEYS, &handle)) return;
    put(request->out, "\"ok\":{\"names\":[");
    for (DWORD index = 0;; index++) {
        WCHAR name[512];
        DWORD length = 512;
        if (RegEnumKeyExW(handle, index, name, &length, NULL, NULL, NULL, NULL)) break;
        if (index) put(request->out, ",");
        put_wide(request->out, name, length);
    }
    put(request->out, "]}");
    RegCloseKey(handle);
}

static void reg_values(Request *request) {
    Key key;
    HKEY handle;
    if (!key_of(request, &key) || !open_for(request, &key, KEY_QUERY_VALUE, &handle)) return;
    WCHAR *name = take(16400 * sizeof *name);
    put(request->out, "\"ok\":{\"values\":[");
    for (DWORD index = 0;; index++) {
        DWORD length = 16400, type = 0;
        if (RegEnumValueW(handle, index, name, &length, NULL, &type, NULL, NULL)) break;
        put(request->out, index ? ",{\"name\":" : "{\"name\":");
        put_wide(request->out, name, length);
        put(request->out, ",\"type\":");
        put_number(request->out, type);
        put(request->out, "}");
    }
    put(request->out, "]}");
    RegCloseKey(handle);
}

static void reg_delete_key(Request *request) {
    Key key;
    if (!key_of(request, &key)) return;
    note_key(key.root, key.sub, key.view);
    if (done(request, RegDeleteKeyExW(key.root, key.sub, key.view, 0))) ok(request);
}

// RegDeleteTree knows no view: the parent is opened in it, and the rest is relative to that.
static void reg_delete_tree(Request *request) {
    Key key;
    HKEY handle;
    if (!key_of(request, &key)) return;
    WCHAR *parent = take((wcslen(key.sub) + 1) * sizeof *parent);
    wcscpy(parent, key.sub);
    WCHAR *slash = wcsrchr(parent, '\\');
    const WCHAR *last = slash ? key.sub + (slash - parent) + 1 : key.sub;
    if (slash) *slash = 0;
    else *parent = 0;
    if (!*last) return bad(request, "key", "names a key below a root");
    note_key(key.root, key.sub, key.view);
    REGSAM access = KEY_READ | KEY_WRITE | DELETE | key.view;
    if (!done(request, RegOpenKeyExW(key.root, parent, 0, access, &handle))) return;
    LSTATUS status = RegDeleteTreeW(handle, last);
    RegCloseKey(handle);
    if (done(request, status)) ok(request);
}

static void reg_delete_value(Request *request) {
    Key key;
    HKEY handle;
    if (!key_of(request, &key)) return;
    const WCHAR *name = text_of(request, "name");
    if (request->bad || !open_for(request, &key, KEY_SET_VALUE, &handle)) return;
    note_key(key.root, key.sub, key.view);
    LSTATUS status = RegDeleteValueW(handle, name);
    RegCloseKey(handle);
    if (done(request, status)) ok(request);
}

// ---- notification
typedef struct {
    HKEY handle;
    HANDLE event;
} Watch;

static Watch *watches;
static size_t watch_count;

void close_watches(void) {
    for (size_t i = 0; i < watch_count; i++) {
        RegCloseKey(watches[i].handle);
        CloseHandle(watches[i].event);
    }
    watch_count = 0;
}

static void reg_watch(Request *request) {
    Key key;
    DWORD filter;
    if (!key_of(request, &key) || !number_of(request, "filter", &filter)) return;
    bool subtree = flag_of(request, "subtree");
    Watch watch = {0};
    if (request->bad || !open_for(request, &key, KEY_NOTIFY, &watch.handle)) return;
    watch.event = CreateEventW(NULL, FALSE, FALSE, NULL);
    LSTATUS status = RegNotifyChangeKeyValue(watch.handle, subtree, filter, watch.event, TRUE);
    if (!done(request, status)) {
        RegCloseKey(watch.handle);
        CloseHandle(watch.event);
        return;
    }
    Watch *grown = HeapAlloc(GetProcessHeap(), 0, (watch_count + 1) * sizeof *grown);
    if (watches) {
        memcpy(grown, watches, watch_count * sizeof *grown);
        HeapFree(GetProcessHeap(), 0, watches);
    }
    watches = grown;
    watches[watch_count++] = watch;
    put(request->out, "\"ok\":{\"watch\":");
    put_number(request->out, watch_count);
    put(request->out, "}");
}

static void reg_fired(Request *request) {
    DWORD number;
    if (!number_of(request, "watch", &number)) return;
    if (!number || number > watch_count) return fail(request, ERROR_INVALID_HANDLE);
    // The signal comes from a server process: what is not there after a moment does not come.
    bool fired = WaitForSingleObject(watches[number - 1].event, 150) == WAIT_OBJECT_0;
    put(request->out, fired ? "\"ok\":{\"fired\":true}" : "\"ok\":{\"fired\":false}");
}

// ---- files: reg.exe is the only documented reader and writer of .reg files
static void note_keys_of(const WCHAR *text, REGSAM view) {
    for (const WCHAR *at = text; at; at = wcschr(at, '\n')) {
        while (*at == '\n' || *at == '\r' || *at == ' ') at++;
        const WCHAR *end = wcschr(at, ']'), *line = wcschr(at, '\n');
        if (*at != '[' || !end || (line && line < end)) {
            if (!*at) break;
            continue;
        }
        const WCHAR *from = at + 1;
        if (*from == '-') from++;
        WCHAR *key = take((size_t)(end - from + 1) * sizeof *key);
        memcpy(key, from, (size_t)(end - from) * sizeof *key);
        key[end - from] = 0;
        HKEY root;
        const WCHAR *sub;
        if (root_of(key, &root, &sub)) {
            note_key_created(root, sub, view);
            note_key(root, sub, view);
        }
    }
}

// A script may change any key that it names: with quotes up to the next one, else up to what divides.
void note_keys_in_script(const WCHAR *script) {
    for (const WCHAR *at = script; *at; at++) {
        bool begins = at == script || !iswalnum(at[-1]);
        if (!begins || _wcsnicmp(at, L"HK", 2)) continue;
        bool quoted = at > script && at[-1] == '"';
        size_t length = wcscspn(at, quoted ? L"\"\r\n" : L"\"\r\n \t&|<>()[]");
        WCHAR *key = take((length + 1) * sizeof *key);
        memcpy(key, at, length * sizeof *key);
        key[length] = 0;
        HKEY root;
        const WCHAR *sub;
        if (!root_of(key, &root, &sub)) continue;
        const REGSAM views[] = {KEY_WOW64_64KEY, KEY_WOW64_32KEY};
        for (int view = 0; view < 2; view++) {
            note_key_created(root, sub, views[view]);
            note_key(root, sub, views[view]);
        }
    }
}

static void reg_import(Request *request) {
    const Value *text = field(request->fields, "text");
    DWORD bits = 64;
    BYTE *bytes;
    size_t length;
    if (field(request->fields, "bits") && !number_of(request, "bits", &bits)) return;
    if (text) {
        if (text->kind != J_STRING) return bad(request, "text", "is a text");
        length = 2 + text->length * sizeof(WCHAR);
        bytes = take(length + 2);
        bytes[0] = 0xFF;
        bytes[1] = 0xFE;
        memcpy(bytes + 2, text->text, text->length * sizeof(WCHAR));
        bytes[length] = bytes[length + 1] = 0;
    } else if (!hex_of(request, "bytes", &bytes, &length)) {
        return;
    }
    const WCHAR *wide = (const WCHAR *)(bytes + 2);
    if (length < 2 || bytes[0] != 0xFF || bytes[1] != 0xFE) {
        int units = MultiByteToWideChar(CP_ACP, 0, (const char *)bytes, (int)length, NULL, 0);
        WCHAR *decoded = take(((size_t)units + 1) * sizeof *decoded);
        MultiByteToWideChar(CP_ACP, 0, (const char *)bytes, (int)length, decoded, units);
        decoded[units] = 0;
        wide = decoded;
    }
    note_keys_of(wide, bits == 32 ? KEY_WOW64_32KEY : KEY_WOW64_64KEY);
    WCHAR *path = scratch(L"import.reg");
    if (!write_file(path, bytes, length)) return fail(request, GetLastError());
    WCHAR command[MAX_PATH + 64];
    wsprintfW(command, L"reg.exe import \"%s\" /reg:%lu", path, bits);
    DWORD exit_code = 0;
    char *output, *errors;
    size_t output_length, errors_length;
    DWORD error = run(command, NULL, NULL, 30000, &exit_code, &output, &output_length, &errors, &errors_length);
    if (error) return fail(request, error);
    // reg.exe tells neither how many lines took effect nor a Win32 code.
    if (exit_code) return fail(request, ERROR_INVALID_DATA);
    ok(request);
}

static void reg_export(Request *request) {
    Key key;
    HKEY handle;
    if (!key_of(request, &key) || !open_for(request, &key, KEY_READ, &handle)) return;
    RegCloseKey(handle);
    const WCHAR *name = text_of(request, "key");
    WCHAR *path = scratch(L"export.reg");
    DeleteFileW(path);
    WCHAR *command = take((wcslen(name) + wcslen(path) + 64) * sizeof *command);
    wcscpy(command, L"reg.exe export \"");
    wcscat(command, name);
    wcscat(command, L"\" \"");
    wcscat(command, path);
    wcscat(command, key.view == KEY_WOW64_32KEY ? L"\" /y /reg:32" : L"\" /y /reg:64");
    DWORD exit_code = 0;
    char *output, *errors;
    size_t output_length, errors_length;
    DWORD error = run(command, NULL, NULL, 30000, &exit_code, &output, &output_length, &errors, &errors_length);
    if (error) return fail(request, error);
    HANDLE file = CreateFileW(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (exit_code || file == INVALID_HANDLE_VALUE) return fail(request, ERROR_FILE_NOT_FOUND);
    DWORD size = GetFileSize(file, NULL), count = 0;
    WCHAR *text = take(size + 2);
    ReadFile(file, text, size, &count, NULL);
    CloseHandle(file);
    size_t units = count / sizeof *text;
    bool marked = units && text[0] == 0xFEFF;
    put(request->out, "\"ok\":{\"text\":");
    put_wide(request->out, text + marked, units - marked);
    put(request->out, "}");
}

// ---- security
static void reg_security(Request *request) {
    Key key;
    HKEY handle;
    if (!key_of(request, &key) || !open_for(request, &key, READ_CONTROL, &handle)) return;
    DWORD length = 0;
    LSTATUS status = RegGetKeySecurity(handle, PARTS, NULL, &length);
    PSECURITY_DESCRIPTOR descriptor = take(length + 1);
    if (status == ERROR_INSUFFICIENT_BUFFER) status = RegGetKeySecurity(handle, PARTS, descriptor, &length);
    RegCloseKey(handle);
    if (!done(request, status)) return;
    put_sddl(request, descriptor);
}

static void reg_set_security(Request *request) {
    Key key;
    HKEY handle;
    if (!key_of(request, &key)) return;
    const WCHAR *sddl = text_of(request, "sddl");
    if (request->bad) return;
    BYTE *descriptor = descriptor_of(sddl);
    if (!descriptor) return fail(request, GetLastError());
    SECURITY_INFORMATION parts = parts_of(descriptor);
    REGSAM access = (parts & DACL_SECURITY_INFORMATION ? WRITE_DAC : 0) |
                    (parts & (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION) ? WRITE_OWNER : 0);
    note_key(key.root, key.sub, key.view);
    if (open_for(request, &key, access, &handle)) {
        LSTATUS status = RegSetKeySecurity(handle, parts, descriptor);
        RegCloseKey(handle);
        if (done(request, status)) ok(request);
    }
    LocalFree(descriptor);
}

const Entry REGISTRY[] = {
    {"reg.open", reg_open},
    {"reg.create", reg_create},
    {"reg.set", reg_set},
    {"reg.get", reg_get},
    {"reg.keys", reg_keys},
    {"reg.values", reg_values},
    {"reg.delete_key", reg_delete_key},
    {"reg.delete_tree", reg_delete_tree},
    {"reg.delete_value", reg_delete_value},
    {"reg.watch", reg_watch},
    {"reg.fired", reg_fired},
    {"reg.import", reg_import},
    {"reg.export", reg_export},
    {"reg.security", reg_security},
    {"reg.set_security", reg_set_security},
    {NULL, NULL},
};
