// env.*: expansion against a block of the request's own.
#include "probe.h"
#include <winternl.h>
#include <string.h>

static void env_expand(Request *request) {
    const WCHAR *text = text_of(request, "text");
    const Value *vars = field(request->fields, "vars");
    if (vars && vars->kind != J_OBJECT) bad(request, "vars", "is an object of texts");
    if (request->bad) return;
    NTSTATUS(WINAPI * expand)(PVOID, UNICODE_STRING *, UNICODE_STRING *, ULONG *) =
        (void *)GetProcAddress(GetModuleHandleA("ntdll.dll"), "RtlExpandEnvironmentStrings_U");
    if (!expand) return unsupported(request, "RtlExpandEnvironmentStrings_U is not there");
    size_t room = 2;
    for (const Value *var = vars ? vars->first : NULL; var; var = var->next) {
        if (var->kind != J_STRING) return bad(request, "vars", "is an object of texts");
        room += var->name_length + var->length + 2;
    }
    WCHAR *block = take(room * sizeof *block), *at = block;
    for (const Value *var = vars ? vars->first : NULL; var; var = var->next) {
        memcpy(at, var->name, var->name_length * sizeof *at);
        at += var->name_length;
        *at++ = '=';
        memcpy(at, var->text, var->length * sizeof *at);
        at += var->length;
        *at++ = 0;
    }
    at[0] = at[1 < room ? 1 : 0] = 0;
    WCHAR *expanded = take(65536);
    UNICODE_STRING from = {.Length = (USHORT)(wcslen(text) * 2), .MaximumLength = (USHORT)(wcslen(text) * 2 + 2)};
    UNICODE_STRING to = {.Length = 0, .MaximumLength = 65534};
    from.Buffer = (WCHAR *)text;
    to.Buffer = expanded;
    if (expand(block, &from, &to, NULL)) return fail(request, ERROR_MORE_DATA);
    put(request->out, "\"ok\":{\"text\":");
    put_wide(request->out, to.Buffer, to.Length / 2);
    put(request->out, "}");
}

static void env_block(Request *request) {
    unsupported(request, "env.block: the system builds a block from its own registry, which is not the request's");
}

const Entry ENVIRONMENT[] = {{"env.expand", env_expand}, {"env.block", env_block}, {NULL, NULL}};
