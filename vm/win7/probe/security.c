// sddl.* and sd.*: security descriptors as text, and as the system makes them.
#include "probe.h"
#include <sddl.h>
#include <stdio.h>

BYTE *descriptor_of(const WCHAR *sddl) {
    PSECURITY_DESCRIPTOR descriptor = NULL;
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, SDDL_REVISION_1, &descriptor, NULL)) return NULL;
    return descriptor;
}

SECURITY_INFORMATION parts_of(BYTE *descriptor) {
    SECURITY_INFORMATION parts = 0;
    SECURITY_DESCRIPTOR_CONTROL control;
    DWORD revision;
    PSID sid;
    BOOL usual;
    GetSecurityDescriptorControl(descriptor, &control, &revision);
    if (control & SE_DACL_PRESENT) parts |= DACL_SECURITY_INFORMATION;
    if (GetSecurityDescriptorOwner(descriptor, &sid, &usual) && sid) parts |= OWNER_SECURITY_INFORMATION;
    if (GetSecurityDescriptorGroup(descriptor, &sid, &usual) && sid) parts |= GROUP_SECURITY_INFORMATION;
    return parts;
}

void put_sddl(Request *request, PSECURITY_DESCRIPTOR descriptor) {
    WCHAR *sddl;
    if (!ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, SDDL_REVISION_1, PARTS, &sddl, NULL))
        return fail(request, GetLastError());
    put(request->out, "\"ok\":{\"sddl\":");
    put_wide(request->out, sddl, wcslen(sddl));
    put(request->out, "}");
    LocalFree(sddl);
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
    SECURITY_INFORMATION parts = PARTS;
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

// ---- sd.check: AccessCheck with this process's own token. A check compares SIDs and nothing else, so the
// question is asked with other ones: each SID of the request's token becomes one of ours, any other SID of
// the descriptor one that nobody has. OWNER RIGHTS keeps its meaning, and so its SID.
typedef struct {
    PSID from, to;
    bool deny_only;
} Renamed;

typedef struct {
    Renamed rows[256];
    size_t count;
} Names;

static PSID renamed(Names *names, PSID sid) {
    static const SID owner_rights = {SID_REVISION, 1, {SECURITY_CREATOR_SID_AUTHORITY}, {4}};
    if (!sid || EqualSid(sid, (PSID)&owner_rights)) return sid;
    for (size_t i = 0; i < names->count; i++)
        if (EqualSid(names->rows[i].from, sid)) return names->rows[i].to;
    if (names->count == sizeof names->rows / sizeof *names->rows) return NULL;
    SID_IDENTIFIER_AUTHORITY authority = SECURITY_NT_AUTHORITY;
    BYTE *nobody = take(SECURITY_MAX_SID_SIZE);
    InitializeSid(nobody, &authority, 5);
    DWORD parts[5] = {SECURITY_NT_NON_UNIQUE, 4, 4, 4, 1000 + (DWORD)names->count};
    for (DWORD i = 0; i < 5; i++) *GetSidSubAuthority(nobody, i) = parts[i];
    names->rows[names->count++] = (Renamed){sid, nobody, false};
    return nobody;
}

static void *token_part(HANDLE token, TOKEN_INFORMATION_CLASS part) {
    DWORD length = 0;
    GetTokenInformation(token, part, NULL, 0, &length);
    void *bytes = take(length + 1);
    return GetTokenInformation(token, part, bytes, length, &length) ? bytes : NULL;
}

static bool read_sids(Request *request, const Value *list, Names *names, bool deny_only, const char *name) {
    if (list && list->kind != J_LIST) return bad(request, name, "is a list of SIDs"), false;
    for (const Value *item = list ? list->first : NULL; item; item = item->next) {
        PSID sid;
        if (item->kind != J_STRING || !ConvertStringSidToSidW(item->text, &sid))
            return bad(request, name, "is a list of SIDs"), false;
        PSID kept = take(GetLengthSid(sid));
        CopySid(GetLengthSid(sid), kept, sid);
        LocalFree(sid);
        size_t i = 0;
        while (i < names->count && !EqualSid(names->rows[i].from, kept)) i++;
        if (i == sizeof names->rows / sizeof *names->rows) return bad(request, name, "is too long"), false;
        if (i == names->count) names->rows[names->count++] = (Renamed){kept, NULL, false};
        names->rows[i].deny_only |= deny_only;
    }
    return true;
}

// Gives each SID of the request's token one of ours: the first is the user.
static bool pair_with_ours(HANDLE token, Names *names) {
    TOKEN_USER *user = token_part(token, TokenUser);
    TOKEN_GROUPS *groups = token_part(token, TokenGroups);
    if (!user || !groups || !names->count) return false;
    names->rows[0].to = user->User.Sid;
    size_t next = 1;
    for (DWORD i = 0; i < groups->GroupCount && next < names->count; i++) {
        DWORD attributes = groups->Groups[i].Attributes;
        bool counts = attributes & SE_GROUP_ENABLED && !(attributes & (SE_GROUP_USE_FOR_DENY_ONLY | SE_GROUP_INTEGRITY));
        if (counts && !EqualSid(groups->Groups[i].Sid, user->User.Sid)) names->rows[next++].to = groups->Groups[i].Sid;
    }
    return next == names->count;
}

// Our token as the request's would be: without privileges, some SIDs for denying alone. NULL if it cannot be had.
static HANDLE token_for(HANDLE own, const Names *names) {
    SID_AND_ATTRIBUTES disabled[256];
    DWORD count = 0;
    for (size_t i = 0; i < names->count; i++)
        if (names->rows[i].deny_only) disabled[count++] = (SID_AND_ATTRIBUTES){names->rows[i].to, 0};
    HANDLE restricted = NULL, token = NULL;
    if (!CreateRestrictedToken(own, DISABLE_MAX_PRIVILEGE, count, count ? disabled : NULL, 0, NULL, 0, NULL, &restricted))
        return NULL;
    if (!DuplicateTokenEx(restricted, TOKEN_QUERY | TOKEN_IMPERSONATE, NULL, SecurityImpersonation, TokenImpersonation,
                          &token))
        token = NULL;
    CloseHandle(restricted);
    return token;
}

// The DACL with other SIDs. False if it has ACEs of another kind than allowing and denying.
static bool rename_dacl(ACL *dacl, Names *names, ACL **copy) {
    DWORD room = sizeof(ACL);
    for (DWORD index = 0; index < dacl->AceCount; index++)
        room += sizeof(ACCESS_ALLOWED_ACE) + SECURITY_MAX_SID_SIZE;
    *copy = take(room);
    InitializeAcl(*copy, room, ACL_REVISION);
    for (DWORD index = 0; index < dacl->AceCount; index++) {
        ACCESS_ALLOWED_ACE *ace;
        if (!GetAce(dacl, index, (void **)&ace)) return false;
        PSID sid = renamed(names, &ace->SidStart);
        DWORD flags = ace->Header.AceFlags;
        bool done = false;
        if (ace->Header.AceType == ACCESS_ALLOWED_ACE_TYPE)
            done = sid && AddAccessAllowedAceEx(*copy, ACL_REVISION, flags, ace->Mask, sid);
        else if (ace->Header.AceType == ACCESS_DENIED_ACE_TYPE)
            done = sid && AddAccessDeniedAceEx(*copy, ACL_REVISION, flags, ace->Mask, sid);
        if (!done) return false;
    }
    return true;
}

static void check_with(Request *request, BYTE *descriptor, Names *names, HANDLE own, DWORD desired, bool of_key) {
    SECURITY_DESCRIPTOR asked;
    SECURITY_DESCRIPTOR_CONTROL control = 0;
    DWORD revision;
    PSID owner = NULL, group = NULL;
    ACL *dacl = NULL, *copy = NULL;
    BOOL present = FALSE, usual;
    GetSecurityDescriptorControl(descriptor, &control, &revision);
    if (control & SE_SACL_PRESENT) return unsupported(request, "sd.check: a label or a SACL");
    if (!pair_with_ours(own, names))
        return unsupported(request, "sd.check: this process's token has fewer SIDs than the request's");
    GetSecurityDescriptorOwner(descriptor, &owner, &usual);
    GetSecurityDescriptorGroup(descriptor, &group, &usual);
    GetSecurityDescriptorDacl(descriptor, &present, &dacl, &usual);
    if (dacl && !rename_dacl(dacl, names, &copy))
        return unsupported(request, "sd.check: ACEs other than those that allow and deny");
    InitializeSecurityDescriptor(&asked, SECURITY_DESCRIPTOR_REVISION);
    if (owner) SetSecurityDescriptorOwner(&asked, renamed(names, owner), FALSE);
    if (group) SetSecurityDescriptorGroup(&asked, renamed(names, group), FALSE);
    if (present) SetSecurityDescriptorDacl(&asked, TRUE, copy, FALSE);
    // `renamed` adds SIDs that nobody has: they are no part of the token.
    HANDLE token = token_for(own, names);
    if (!token) return unsupported(request, "sd.check: there is no such token to be had here");
    GENERIC_MAPPING file = {FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS};
    GENERIC_MAPPING key = {KEY_READ, KEY_WRITE, KEY_EXECUTE, KEY_ALL_ACCESS};
    GENERIC_MAPPING *mapping = of_key ? &key : &file;
    MapGenericMask(&desired, mapping);
    BYTE privileges[256];
    DWORD length = sizeof privileges, granted = 0;
    BOOL is_granted = FALSE;
    bool done = AccessCheck(&asked, token, desired, mapping, (PRIVILEGE_SET *)privileges, &length, &granted, &is_granted);
    DWORD error = GetLastError();
    CloseHandle(token);
    if (!done || !is_granted) return fail(request, error);
    char mask[32];
    snprintf(mask, sizeof mask, "\"ok\":{\"granted\":\"0x%lx\"}", granted);
    put(request->out, mask);
}

static void sd_check(Request *request) {
    const WCHAR *sddl = text_of(request, "sd");
    const Value *kind = field(request->fields, "kind"), *token = field(request->fields, "token");
    DWORD desired;
    if (!token || token->kind != J_OBJECT) bad(request, "token", "is an object with sids");
    if (!is_text(kind, "file") && !is_text(kind, "key")) bad(request, "kind", "is file or key");
    if (request->bad || !mask_of(request, "desired", 0, &desired)) return;
    const Value *privileges = field(token, "privileges");
    if (field(token, "integrity") || field(request->fields, "parent_sd") || (privileges && privileges->first))
        return unsupported(request, "sd.check: integrity levels, privileges and parents");
    Names names = {.count = 0};
    if (!read_sids(request, field(token, "sids"), &names, false, "token") ||
        !read_sids(request, field(token, "deny_only"), &names, true, "token"))
        return;
    BYTE *descriptor = descriptor_of(sddl);
    if (!descriptor) return fail(request, GetLastError());
    HANDLE own;
    if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY | TOKEN_DUPLICATE | TOKEN_ASSIGN_PRIMARY, &own)) {
        check_with(request, descriptor, &names, own, desired, is_text(kind, "key"));
        CloseHandle(own);
    } else {
        fail(request, GetLastError());
    }
    LocalFree(descriptor);
}

const Entry SECURITY[] = {
    {"sddl.parse", sddl_parse},
    {"sd.create", sd_create},
    {"sd.check", sd_check},
    {NULL, NULL},
};
