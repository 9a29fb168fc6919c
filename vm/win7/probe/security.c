// sddl.* and sd.*: security descriptors as text, and as the system makes them.
#include "probe.h"
#include <sddl.h>
#include <stdio.h>

BYTE *descriptor_of(const WCHAR *sddl) {
    PSECURITY_DESCRIPTOR descriptor = NULL;
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, SDDL_REVISION_1, &descriptor, NULL)) return NULL;
    return descriptor;
}

static void put_aces(Request *request, PSECURITY_DESCRIPTOR descriptor) {
    BOOL present = FALSE, usual;
    ACL *dacl = NULL;
    GetSecurityDescriptorDacl(descriptor, &present, &dacl, &usual);
    if (!present || !dacl) return put(request->out, ",\"aces\":null");
    put(request->out, ",\"aces\":[");
    for (DWORD index = 0; index < dacl->AceCount; index++) {
        ACCESS_ALLOWED_ACE *ace;
        WCHAR *sid = NULL;
        char text[64];
        if (!GetAce(dacl, index, (void **)&ace)) break;
        snprintf(text, sizeof text, "%s{\"type\":%u,\"flags\":%u,\"mask\":\"0x%lx\",\"sid\":", index ? "," : "",
                 ace->Header.AceType, ace->Header.AceFlags, ace->Mask);
        put(request->out, text);
        ConvertSidToStringSidW(&ace->SidStart, &sid);
        put_wide(request->out, sid ? sid : L"", sid ? wcslen(sid) : 0);
        put(request->out, "}");
        LocalFree(sid);
    }
    put(request->out, "]");
}

static void put_descriptor(Request *request, PSECURITY_DESCRIPTOR descriptor) {
    SECURITY_INFORMATION parts = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    SECURITY_DESCRIPTOR_CONTROL control;
    DWORD revision;
    WCHAR *sddl;
    if (GetSecurityDescriptorControl(descriptor, &control, &revision) && control & SE_SACL_PRESENT)
        parts |= SACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION;
    if (!ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, SDDL_REVISION_1, parts, &sddl, NULL))
        return fail(request, GetLastError());
    put(request->out, "\"ok\":{\"sddl\":");
    put_wide(request->out, sddl, wcslen(sddl));
    put_aces(request, descriptor);
    put(request->out, "}");
    LocalFree(sddl);
}

static void sddl_parse(Request *request) {
    const WCHAR *sddl = text_of(request, "sddl");
    if (request->bad) return;
    BYTE *descriptor = descriptor_of(sddl);
    if (!descriptor) return fail(request, GetLastError());
    put_descriptor(request, descriptor);
    LocalFree(descriptor);
}

static void sd_create(Request *request) {
    unsupported(request, "sd.create: it needs a token with the owner, group and default DACL of the request");
}

static void sd_check(Request *request) {
    unsupported(request, "sd.check: it needs a token with the SIDs of the request");
}

const Entry SECURITY[] = {
    {"sddl.parse", sddl_parse},
    {"sd.create", sd_create},
    {"sd.check", sd_check},
    {NULL, NULL},
};
