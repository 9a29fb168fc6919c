// What the session changed, and how it is put back: in reverse order, at `reset` and at the end.
#include "probe.h"
#include <stdlib.h>
#include <string.h>

void close_watches(void);

typedef struct Saved {
    WCHAR *name;
    DWORD type, length;
    BYTE *data;
    struct Saved *next;
} Saved;

typedef struct Key {
    WCHAR *name;
    Saved *values;
    struct Key *first, *next;
} Key;

typedef struct Act {
    enum { KEY_CREATED, KEY_CHANGED, PATH_MADE } kind;
    HKEY root;
    WCHAR *path;
    REGSAM view;
    Key *key;  // NULL: there was none
    struct Act *before;
} Act;

static Act *acts;

static void *keep(const void *bytes, size_t length) {
    void *copy = malloc(length + 2);
    if (!copy) abort();
    memcpy(copy, bytes, length);
    return copy;
}

static WCHAR *keep_text(const WCHAR *text) {
    return keep(text, (wcslen(text) + 1) * sizeof *text);
}

static Act *add(int kind, const WCHAR *path) {
    Act *act = calloc(1, sizeof *act);
    if (!act) abort();
    act->kind = kind;
    act->path = keep_text(path);
    act->before = acts;
    acts = act;
    return act;
}

static bool is_below(const WCHAR *path, const WCHAR *key) {
    size_t length = wcslen(key);
    return !_wcsnicmp(path, key, length) && (!path[length] || path[length] == '\\');
}

// Whether the key goes as a whole when all is undone.
static bool is_ours(HKEY root, const WCHAR *sub, REGSAM view) {
    for (Act *act = acts; act; act = act->before)
        if (act->kind == KEY_CREATED && act->root == root && act->view == view && is_below(sub, act->path)) return true;
    return false;
}

void note_key_created(HKEY root, const WCHAR *sub, REGSAM view) {
    while (*sub == '\\') sub++;
    WCHAR *path = take((wcslen(sub) + 1) * sizeof *path);
    wcscpy(path, sub);
    if (is_ours(root, sub, view)) return;
    for (WCHAR *end = path;; end++) {
        if (*end && *end != '\\') continue;
        WCHAR stop = *end;
        *end = 0;
        HKEY handle;
        if (*path && RegOpenKeyExW(root, path, 0, READ_CONTROL | view, &handle) == ERROR_FILE_NOT_FOUND) {
            Act *act = add(KEY_CREATED, path);
            act->root = root;
            act->view = view;
            return;
        } else if (*path && handle) {
            RegCloseKey(handle);
        }
        if (!stop) return;
        *end = stop;
    }
}

static Key *copy_of(HKEY handle, const WCHAR *name, REGSAM view, int depth) {
    Key *key = calloc(1, sizeof *key);
    if (!key) abort();
    key->name = keep_text(name);
    WCHAR *text = malloc(16400 * sizeof *text);
    for (DWORD index = 0; text; index++) {
        DWORD length = 16400, type = 0, size = 0;
        if (RegEnumValueW(handle, index, text, &length, NULL, &type, NULL, &size)) break;
        BYTE *data = malloc(size + 2);
        if (!data || RegQueryValueExW(handle, text, NULL, &type, data, &size)) {
            free(data);
            continue;
        }
        Saved *value = calloc(1, sizeof *value);
        if (!value) abort();
        *value = (Saved){keep_text(text), type, size, data, key->values};
        key->values = value;
    }
    for (DWORD index = 0; text && depth > 0; index++) {
        DWORD length = 512;
        HKEY child;
        if (RegEnumKeyExW(handle, index, text, &length, NULL, NULL, NULL, NULL)) break;
        if (RegOpenKeyExW(handle, text, 0, KEY_READ | view, &child)) continue;
        Key *below = copy_of(child, text, view, depth - 1);
        below->next = key->first;
        key->first = below;
        RegCloseKey(child);
    }
    free(text);
    return key;
}

void note_key(HKEY root, const WCHAR *sub, REGSAM view) {
    HKEY handle;
    while (*sub == '\\') sub++;
    if (!*sub || is_ours(root, sub, view)) return;
    if (RegOpenKeyExW(root, sub, 0, KEY_READ | view, &handle)) return;
    // A key that has a great many below it is never deleted as a whole: keeping a few levels is enough.
    DWORD below = 0;
    RegQueryInfoKeyW(handle, NULL, NULL, NULL, &below, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    Act *act = add(KEY_CHANGED, sub);
    act->root = root;
    act->view = view;
    act->key = copy_of(handle, L"", view, below > 64 ? 0 : 8);
    RegCloseKey(handle);
}

static void put_back(HKEY root, const WCHAR *path, REGSAM view, const Key *key) {
    HKEY handle;
    if (RegCreateKeyExW(root, path, 0, NULL, 0, KEY_READ | KEY_WRITE | view, NULL, &handle, NULL)) return;
    WCHAR *name = malloc(16400 * sizeof *name);
    // Values that were not there go.
    for (DWORD index = 0; name;) {
        DWORD length = 16400;
        if (RegEnumValueW(handle, index, name, &length, NULL, NULL, NULL, NULL)) break;
        const Saved *value = key->values;
        while (value && _wcsicmp(value->name, name)) value = value->next;
        if (value || RegDeleteValueW(handle, name)) index++;
    }
    free(name);
    for (const Saved *value = key->values; value; value = value->next)
        RegSetValueExW(handle, value->name, 0, value->type, value->data, value->length);
    for (const Key *below = key->first; below; below = below->next) put_back(handle, below->name, view, below);
    RegCloseKey(handle);
}

static void free_key(Key *key) {
    while (key) {
        Key *next = key->next;
        free_key(key->first);
        for (Saved *value = key->values; value;) {
            Saved *other = value->next;
            free(value->name);
            free(value->data);
            free(value);
            value = other;
        }
        free(key->name);
        free(key);
        key = next;
    }
}

// RegDeleteTree from the parent, in a view.
static void delete_key(HKEY root, const WCHAR *path, REGSAM view) {
    WCHAR *parent = keep_text(path);
    WCHAR *slash = wcsrchr(parent, '\\');
    const WCHAR *last = slash ? path + (slash - parent) + 1 : path;
    *(slash ? slash : parent) = 0;
    HKEY handle;
    if (!RegOpenKeyExW(root, parent, 0, KEY_READ | KEY_WRITE | DELETE | view, &handle)) {
        RegDeleteTreeW(handle, last);
        RegCloseKey(handle);
    }
    free(parent);
}

// ---- files
static WCHAR start_directory[MAX_PATH];

static WCHAR *long_path(const WCHAR *path) {
    if (!wcsncmp(path, L"\\\\?\\", 4)) return keep_text(path);
    DWORD room = GetFullPathNameW(path, 0, NULL, NULL);
    WCHAR *full = malloc((room + 8) * sizeof *full);
    if (!full) abort();
    wcscpy(full, L"\\\\?\\");
    GetFullPathNameW(path, room + 1, full + 4, NULL);
    return full;
}

// Whether a script ran, which may have put anything into the directories that the session made.
static bool script_ran;

void note_script(const WCHAR *script) {
    script_ran = true;
    note_keys_in_script(script);
}

static void delete_tree(const WCHAR *path) {
    WIN32_FIND_DATAW found;
    WCHAR *all = malloc((wcslen(path) + MAX_PATH + 4) * sizeof *all);
    if (!all) abort();
    wcscpy(all, path);
    wcscat(all, L"\\*");
    HANDLE find = FindFirstFileW(all, &found);
    while (find != INVALID_HANDLE_VALUE) {
        if (wcscmp(found.cFileName, L".") && wcscmp(found.cFileName, L"..")) {
            wcscpy(all + wcslen(path) + 1, found.cFileName);
            bool is_link = found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT;
            SetFileAttributesW(all, FILE_ATTRIBUTE_NORMAL);
            if (!(found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)) DeleteFileW(all);
            else if (is_link) RemoveDirectoryW(all);
            else delete_tree(all);
        }
        if (!FindNextFileW(find, &found)) break;
    }
    if (find != INVALID_HANDLE_VALUE) FindClose(find);
    free(all);
    RemoveDirectoryW(path);
}

void note_made(const WCHAR *path) {
    if (!*start_directory) GetCurrentDirectoryW(MAX_PATH, start_directory);
    WCHAR *full = long_path(path);
    if (!was_made(path)) add(PATH_MADE, full);
    free(full);
}

bool was_made(const WCHAR *path) {
    WCHAR *full = long_path(path);
    bool found = false;
    for (Act *act = acts; act && !found; act = act->before)
        found = act->kind == PATH_MADE && !_wcsicmp(act->path, full);
    free(full);
    return found;
}

void undo_all(void) {
    close_watches();
    if (*start_directory) SetCurrentDirectoryW(start_directory);
    undo_to(NULL);
}

void *undo_mark(void) {
    return acts;
}

void undo_to(void *mark) {
    while (acts && acts != mark) {
        Act *act = acts;
        acts = act->before;
        switch (act->kind) {
        case KEY_CREATED:
            delete_key(act->root, act->path, act->view);
            break;
        case KEY_CHANGED:
            put_back(act->root, act->path, act->view, act->key);
            break;
        case PATH_MADE: {
            DWORD attributes = GetFileAttributesW(act->path);
            if (attributes == INVALID_FILE_ATTRIBUTES) break;
            SetFileAttributesW(act->path, FILE_ATTRIBUTE_NORMAL);
            if (attributes & FILE_ATTRIBUTE_DIRECTORY) {
                if (!RemoveDirectoryW(act->path) && script_ran) delete_tree(act->path);
            } else {
                DeleteFileW(act->path);
            }
            break;
        }
        }
        free_key(act->key);
        free(act->path);
        free(act);
    }
}
