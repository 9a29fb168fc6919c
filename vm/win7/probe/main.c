// Reads requests and writes answers, over stdin and stdout, a socket, or a serial port:
//
//     probe.exe                    stdin and stdout
//     probe.exe tcp:127.0.0.1:PORT connects there
//     probe.exe com:COM1           a serial port without modem control
//
// A session ends with its input; what it made is taken away then.
#include "probe.h"
#include <winsock2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE (64u << 20)

// ---- memory of one request
typedef struct Chunk {
    struct Chunk *next;
} Chunk;
static Chunk *chunks;

void *take(size_t bytes) {
    Chunk *chunk = malloc(sizeof(Chunk) + bytes);
    if (!chunk) abort();
    chunk->next = chunks;
    chunks = chunk;
    return chunk + 1;
}

static void free_all(void) {
    while (chunks) {
        Chunk *next = chunks->next;
        free(chunks);
        chunks = next;
    }
}

// ---- answers
static const struct {
    DWORD code;
    const char *name;
} NAMES[] = {
    {2, "ERROR_FILE_NOT_FOUND"},
    {3, "ERROR_PATH_NOT_FOUND"},
    {5, "ERROR_ACCESS_DENIED"},
    {6, "ERROR_INVALID_HANDLE"},
    {13, "ERROR_INVALID_DATA"},
    {32, "ERROR_SHARING_VIOLATION"},
    {80, "ERROR_FILE_EXISTS"},
    {87, "ERROR_INVALID_PARAMETER"},
    {122, "ERROR_INSUFFICIENT_BUFFER"},
    {123, "ERROR_INVALID_NAME"},
    {145, "ERROR_DIR_NOT_EMPTY"},
    {161, "ERROR_BAD_PATHNAME"},
    {183, "ERROR_ALREADY_EXISTS"},
    {203, "ERROR_ENVVAR_NOT_FOUND"},
    {206, "ERROR_FILENAME_EXCED_RANGE"},
    {234, "ERROR_MORE_DATA"},
    {259, "ERROR_NO_MORE_ITEMS"},
    {267, "ERROR_DIRECTORY"},
    {1004, "ERROR_INVALID_FLAGS"},
    {1018, "ERROR_KEY_DELETED"},
    {1020, "ERROR_KEY_HAS_CHILDREN"},
    {1021, "ERROR_CHILD_MUST_BE_VOLATILE"},
    {1113, "ERROR_NO_UNICODE_TRANSLATION"},
    {1314, "ERROR_PRIVILEGE_NOT_HELD"},
    {1336, "ERROR_INVALID_ACL"},
    {1337, "ERROR_INVALID_SID"},
    {1338, "ERROR_INVALID_SECURITY_DESCR"},
    {1705, "RPC_S_INVALID_STRING_UUID"},
};

void ok(Request *request) {
    put(request->out, "\"ok\":{}");
}

void fail(Request *request, DWORD code) {
    const char *name = NULL;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (NAMES[i].code == code) name = NAMES[i].name;
    put(request->out, "\"err\":{\"code\":");
    put_number(request->out, code);
    if (name) {
        put(request->out, ",\"name\":");
        put_text(request->out, name);
    }
    put(request->out, "}");
}

void unsupported(Request *request, const char *what) {
    put(request->out, "\"unsupported\":");
    put_text(request->out, what);
}

void bad(Request *request, const char *name, const char *reason) {
    if (request->bad) return;
    request->bad = true;
    request->bad_field = name;
    request->bad_reason = reason;
}

// ---- fields
const WCHAR *maybe_text(Request *request, const char *name) {
    const Value *value = field(request->fields, name);
    if (!value) return NULL;
    if (value->kind != J_STRING) {
        bad(request, name, "is a text");
        return NULL;
    }
    if (wcslen(value->text) != value->length) {
        bad(request, name, "holds a NUL, which ends it");
        return NULL;
    }
    return value->text;
}

const WCHAR *text_of(Request *request, const char *name) {
    const WCHAR *text = maybe_text(request, name);
    if (!text) bad(request, name, "lacks");
    return text ? text : L"";
}

bool number_of(Request *request, const char *name, DWORD *number) {
    const Value *value = field(request->fields, name);
    if (!value || value->kind != J_NUMBER || !value->whole || value->number > 0xFFFFFFFF) {
        bad(request, name, "is a whole number of 32 bits");
        return false;
    }
    *number = (DWORD)value->number;
    return true;
}

bool flag_of(Request *request, const char *name) {
    const Value *value = field(request->fields, name);
    if (value && value->kind != J_TRUE && value->kind != J_FALSE) bad(request, name, "is true or false");
    return value && value->kind == J_TRUE;
}

static int digit_of(WCHAR c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool hex_of(Request *request, const char *name, BYTE **bytes, size_t *length) {
    const Value *value = field(request->fields, name);
    if (!value || value->kind != J_STRING || value->length % 2) {
        bad(request, name, "is bytes in hexadecimal");
        return false;
    }
    *length = value->length / 2;
    *bytes = take(*length + 2);
    for (size_t i = 0; i < *length; i++) {
        int high = digit_of(value->text[2 * i]), low = digit_of(value->text[2 * i + 1]);
        if (high < 0 || low < 0) {
            bad(request, name, "is bytes in hexadecimal");
            return false;
        }
        (*bytes)[i] = (BYTE)(high << 4 | low);
    }
    (*bytes)[*length] = (*bytes)[*length + 1] = 0;
    return true;
}

bool mask_of(Request *request, const char *name, DWORD usual, DWORD *mask) {
    const Value *value = field(request->fields, name);
    *mask = usual;
    if (!value) return true;
    const WCHAR *text = value->kind == J_STRING ? value->text : L"";
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) text += 2;
    size_t count = wcslen(text);
    unsigned long long number = 0;
    for (size_t i = 0; i < count; i++) {
        int digit = digit_of(text[i]);
        if (digit < 0) count = 0;
        else number = number << 4 | (unsigned)digit;
    }
    if (!count || count > 8) {
        bad(request, name, "is a mask in hexadecimal");
        return false;
    }
    *mask = (DWORD)number;
    return true;
}

char *narrow(const WCHAR *text) {
    int length = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *bytes = take((size_t)length + 1);
    WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, length, NULL, NULL);
    return bytes;
}

// ---- one line
static void reset(Request *request) {
    undo_all();
    ok(request);
}

static void about(Request *request) {
    OSVERSIONINFOW version = {.dwOSVersionInfoSize = sizeof version};
    GetVersionExW(&version);
    char text[128];
    snprintf(text, sizeof text, "%lu.%lu.%lu", version.dwMajorVersion, version.dwMinorVersion, version.dwBuildNumber);
    put(request->out, "\"ok\":{\"windows\":");
    put_text(request->out, text);
    const char *(CDECL * wine)(void) = (void *)GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version");
    put(request->out, ",\"wine\":");
    if (wine) put_text(request->out, wine());
    else put(request->out, "null");
    put(request->out, ",\"acp\":");
    put_number(request->out, GetACP());
    put(request->out, ",\"oemcp\":");
    put_number(request->out, GetOEMCP());
    put(request->out, "}");
}

static const Entry SESSION[] = {{"reset", reset}, {"host.about", about}, {NULL, NULL}};

static const Entry *const FAMILIES[] = {SESSION, REGISTRY, FILES, PATHS, TEXT, ENVIRONMENT, SECURITY, COMMANDS};

// Whether the caller that the request names is the one that this process is.
static bool is_our_caller(Request *request) {
    const Value *as = field(request->fields, "as");
    if (as && !is_text(as, "admin")) {
        unsupported(request, "as another user: this probe has one token");
        return false;
    }
    return true;
}

static void answer(const char *line, size_t length, Out *out) {
    size_t column = 1;
    const char *reason = NULL;
    Value *fields = parse(line, length, &column, &reason);
    Out body = {0};
    Request request = {.fields = fields, .out = &body};
    const Value *op = fields ? field(fields, "op") : NULL;
    if (fields && (!op || op->kind != J_STRING)) {
        bad(&request, "op", "is the operation's name");
    } else if (fields) {
        Operation run = NULL;
        for (size_t f = 0; f < sizeof FAMILIES / sizeof *FAMILIES && !run; f++)
            for (const Entry *entry = FAMILIES[f]; entry->name && !run; entry++)
                if (is_text(op, entry->name)) run = entry->run;
        if (!run) unsupported(&request, "this probe does not answer it");
        else if (is_our_caller(&request)) run(&request);
    }
    if (!fields || request.bad) {
        char message[256];
        if (fields) {
            const Value *value = field(fields, request.bad_field);
            const Value *at = value ? value : op;
            column = at ? (size_t)(at->raw - line) + 1 : 1;
            snprintf(message, sizeof message, "column %zu: \"%s\" %s", column, request.bad_field, request.bad_reason);
        } else {
            snprintf(message, sizeof message, "column %zu: %s", column, reason);
        }
        put(out, "{\"id\":null,\"bad_request\":");
        put_text(out, message);
        put(out, "}\n");
    } else {
        const Value *id = field(fields, "id");
        put(out, "{\"id\":");
        if (id) put_bytes(out, id->raw, id->raw_length);
        else put(out, "null");
        put(out, ",");
        put_bytes(out, body.bytes, body.length);
        put(out, "}\n");
    }
    free(body.bytes);
    free_all();
}

// ---- transports
typedef struct {
    HANDLE in, out;
    SOCKET socket;
} Line;

static int receive(const Line *line, char *bytes, int room) {
    if (line->socket != INVALID_SOCKET) return recv(line->socket, bytes, room, 0);
    DWORD count = 0;
    for (;;) {
        if (!ReadFile(line->in, bytes, (DWORD)room, &count, NULL)) return GetLastError() == ERROR_BROKEN_PIPE ? 0 : -1;
        if (count) return (int)count;
        // A serial port without bytes goes on; a file or pipe has ended.
        if (GetFileType(line->in) != FILE_TYPE_CHAR) return 0;
        COMSTAT state;
        DWORD errors;
        if (!ClearCommError(line->in, &errors, &state)) return 0;
        Sleep(2);
    }
}

static bool send_all(const Line *line, const char *bytes, size_t length) {
    while (length) {
        DWORD count = 0;
        int chunk = length > 1 << 16 ? 1 << 16 : (int)length;
        if (line->socket != INVALID_SOCKET) {
            int sent = send(line->socket, bytes, chunk, 0);
            if (sent <= 0) return false;
            count = (DWORD)sent;
        } else if (!WriteFile(line->out, bytes, (DWORD)chunk, &count, NULL) || !count) {
            return false;
        }
        bytes += count;
        length -= count;
    }
    return true;
}

static bool open_port(const char *name, Line *line) {
    char path[64];
    snprintf(path, sizeof path, "\\\\.\\%s", name);
    HANDLE port = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (port == INVALID_HANDLE_VALUE) return false;
    // No modem control: a virtual port may have neither DTR nor CTS. What cannot be set is left as it is.
    DCB state = {.DCBlength = sizeof state};
    if (GetCommState(port, &state)) {
        state.BaudRate = 115200;
        state.ByteSize = 8;
        state.Parity = NOPARITY;
        state.StopBits = ONESTOPBIT;
        state.fBinary = TRUE;
        state.fOutxCtsFlow = state.fOutxDsrFlow = state.fDsrSensitivity = FALSE;
        state.fOutX = state.fInX = FALSE;
        state.fDtrControl = DTR_CONTROL_DISABLE;
        state.fRtsControl = RTS_CONTROL_DISABLE;
        SetCommState(port, &state);
    }
    // A read returns what is there, be it nothing: waiting for a first byte is not what every driver can.
    COMMTIMEOUTS times = {MAXDWORD, 0, 0, 0, 0};
    SetCommTimeouts(port, &times);
    line->in = line->out = port;
    return true;
}

static bool connect_to(const char *address, Line *line) {
    WSADATA data;
    char host[64];
    const char *colon = strrchr(address, ':');
    if (!colon || (size_t)(colon - address) >= sizeof host || WSAStartup(MAKEWORD(2, 2), &data)) return false;
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = 0;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((u_short)atoi(colon + 1))};
    to.sin_addr.s_addr = inet_addr(host);
    line->socket = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (line->socket == INVALID_SOCKET || connect(line->socket, (struct sockaddr *)&to, sizeof to)) return false;
    int now = 1;
    setsockopt(line->socket, IPPROTO_TCP, 1 /* TCP_NODELAY */, (const char *)&now, sizeof now);
    return true;
}

void say_who(void);

int main(int count, char **arguments) {
    say_who();
    Line line = {GetStdHandle(STD_INPUT_HANDLE), GetStdHandle(STD_OUTPUT_HANDLE), INVALID_SOCKET};
    const char *where = count > 1 ? arguments[1] : "";
    bool is_open = true;
    if (!strncmp(where, "tcp:", 4)) is_open = connect_to(where + 4, &line);
    else if (!strncmp(where, "com:", 4)) is_open = open_port(where + 4, &line);
    else if (*where) is_open = false;
    if (!is_open) {
        fprintf(stderr, "probe: cannot open %s (error %lu); use tcp:ADDRESS:PORT or com:COM1\n", where, GetLastError());
        return 2;
    }
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);

    Out input = {0}, output = {0};
    size_t scanned = 0;
    bool too_long = false;
    for (;;) {
        char bytes[1 << 16];
        int received = receive(&line, bytes, sizeof bytes);
        if (received <= 0) break;
        put_bytes(&input, bytes, (size_t)received);
        size_t start = 0;
        for (; scanned < input.length; scanned++) {
            if (input.bytes[scanned] != '\n') continue;
            if (too_long) put(&output, "{\"id\":null,\"bad_request\":\"column 67108864: the line is too long\"}\n");
            else answer(input.bytes + start, scanned - start, &output);
            too_long = false;
            start = scanned + 1;
        }
        memmove(input.bytes, input.bytes + start, input.length - start);
        input.length -= start;
        scanned -= start;
        if (input.length > MAX_LINE) {
            too_long = true;
            input.length = scanned = 0;
        }
        if (output.length && !send_all(&line, output.bytes, output.length)) break;
        output.length = 0;
    }
    if (input.length && !too_long) {
        answer(input.bytes, input.length, &output);
        send_all(&line, output.bytes, output.length);
    }
    undo_all();
    return 0;
}
