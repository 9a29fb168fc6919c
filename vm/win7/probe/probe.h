// The Win32 probe: answers the probe protocol with what the real calls do. No call newer than Windows 7.
#ifndef PROBE_H
#define PROBE_H

#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- memory of one request: freed all at once when it has been answered
void *take(size_t bytes);

// ---- JSON (json.c)
typedef enum { J_NULL, J_FALSE, J_TRUE, J_NUMBER, J_STRING, J_LIST, J_OBJECT } Kind;

typedef struct Value {
    Kind kind;
    unsigned long long number;  // of a whole number that is not negative; else whole is false
    bool whole;
    WCHAR *text;  // NUL-terminated, and may hold further NULs
    size_t length;
    WCHAR *name;  // of a field
    size_t name_length;
    struct Value *first, *next;
    const char *raw;  // where it stands in the line
    size_t raw_length;
} Value;

// The value of a line, or NULL: then *column and *reason say why.
Value *parse(const char *line, size_t length, size_t *column, const char **reason);
Value *field(const Value *object, const char *name);

typedef struct {
    char *bytes;
    size_t length, room;
} Out;

void put(Out *out, const char *text);
void put_bytes(Out *out, const char *bytes, size_t length);
void put_number(Out *out, unsigned long long number);
void put_text(Out *out, const char *text);                      // quoted, ASCII
void put_wide(Out *out, const WCHAR *text, size_t length);      // quoted
void put_hex(Out *out, const void *bytes, size_t length);       // quoted

// ---- requests (main.c)
typedef struct {
    const Value *fields;
    Out *out;   // what follows the id: `"ok":{...}` and the like
    bool bad;   // the request makes no sense: bad_reason says why
    const char *bad_reason;
    const char *bad_field;
} Request;

typedef void (*Operation)(Request *request);
typedef struct {
    const char *name;
    Operation run;
} Entry;

void ok(Request *request);                         // {}
void fail(Request *request, DWORD code);           // the operation's own failure
void unsupported(Request *request, const char *what);
void bad(Request *request, const char *name, const char *reason);

// Fields; each marks the request as bad if the field lacks or is of another kind.
const WCHAR *text_of(Request *request, const char *name);
const WCHAR *maybe_text(Request *request, const char *name);
bool number_of(Request *request, const char *name, DWORD *number);
bool flag_of(Request *request, const char *name);
bool hex_of(Request *request, const char *name, BYTE **bytes, size_t *length);
bool mask_of(Request *request, const char *name, DWORD usual, DWORD *mask);
bool is_text(const Value *value, const char *text);

extern const Entry REGISTRY[], FILES[], PATHS[], TEXT[], ENVIRONMENT[], SECURITY[], COMMANDS[];

// ---- undoing (undo.c): what the session made is taken away at `reset` and at its end
void undo_all(void);
void *undo_mark(void);
void undo_to(void *mark);  // what came after the mark
void note_key_created(HKEY root, const WCHAR *sub, REGSAM view);  // about to create: notes the first that lacks
void note_key(HKEY root, const WCHAR *sub, REGSAM view);          // about to change or delete: keeps what is there
void note_made(const WCHAR *path);                                // a file or directory that was made
bool was_made(const WCHAR *path);
void note_script(const WCHAR *script);  // about to run: keys that it names, and whatever it puts into directories that were made
void note_keys_in_script(const WCHAR *script);

// ---- more than one file needs these
bool root_of(const WCHAR *key, HKEY *root, const WCHAR **sub);
DWORD run(const WCHAR *command, const WCHAR *directory, WCHAR *environment, DWORD wait_ms, DWORD *exit_code,
          char **output, size_t *output_length, char **errors, size_t *errors_length);
bool enter_directory(const WCHAR *directory);  // makes it if it lacks
bool write_file(const WCHAR *path, const void *bytes, size_t length);
WCHAR *scratch(const WCHAR *name);  // a path in a folder of the session's own
BYTE *descriptor_of(const WCHAR *sddl);
SECURITY_INFORMATION parts_of(BYTE *descriptor);  // which of owner, group and DACL it has
void put_sddl(Request *request, PSECURITY_DESCRIPTOR descriptor);  // answers with its owner, group and DACL
#define PARTS (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION)
char *narrow(const WCHAR *text);

#endif
