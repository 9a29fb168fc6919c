// text.*: MultiByteToWideChar and WideCharToMultiByte.
#include "probe.h"

static void text_decode(Request *request) {
    DWORD page;
    BYTE *bytes;
    size_t length;
    if (!number_of(request, "cp", &page) || !hex_of(request, "bytes", &bytes, &length)) return;
    bool strict = flag_of(request, "strict");
    if (request->bad) return;
    WCHAR *text = take((length * 2 + 2) * sizeof *text);
    int count = 0;
    if (length) {
        DWORD flags = strict ? MB_ERR_INVALID_CHARS : 0;
        count = MultiByteToWideChar(page, flags, (const char *)bytes, (int)length, text, (int)length * 2);
        if (!count) return fail(request, GetLastError());
    }
    put(request->out, "\"ok\":{\"utf16\":");
    put_hex(request->out, text, (size_t)count * sizeof *text);
    put(request->out, "}");
}

static void text_encode(Request *request) {
    DWORD page;
    BYTE *bytes;
    size_t length;
    if (!number_of(request, "cp", &page) || !hex_of(request, "utf16", &bytes, &length)) return;
    bool strict = flag_of(request, "no_best_fit");
    if (length % 2) bad(request, "utf16", "has two bytes for each unit");
    if (request->bad) return;
    char *encoded = take(length * 2 + 4);
    int count = 0;
    BOOL used = FALSE;
    bool tells = page != CP_UTF8;
    if (length) {
        DWORD flags = strict ? WC_NO_BEST_FIT_CHARS : 0;
        count = WideCharToMultiByte(page, flags, (const WCHAR *)bytes, (int)(length / 2), encoded, (int)length * 2, NULL,
                                    tells ? &used : NULL);
        if (!count) return fail(request, GetLastError());
    }
    put(request->out, "\"ok\":{\"bytes\":");
    put_hex(request->out, encoded, (size_t)count);
    put(request->out, ",\"used_default\":");
    put(request->out, !tells ? "null" : used ? "true" : "false");
    put(request->out, "}");
}

const Entry TEXT[] = {{"text.decode", text_decode}, {"text.encode", text_encode}, {NULL, NULL}};
