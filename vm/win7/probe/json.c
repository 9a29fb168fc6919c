// JSON, read from one line and written into a buffer. Texts are UTF-16 inside; unpaired surrogates survive.
#include "probe.h"
#include <stdlib.h>
#include <string.h>
#include <stdio.h>

typedef struct {
    const char *line;
    size_t at, length;
    const char *reason;
    int depth;
} Reader;

static Value *wrong(Reader *reader, const char *reason) {
    if (!reader->reason) reader->reason = reason;
    return NULL;
}

static int peek(const Reader *reader) {
    return reader->at < reader->length ? (unsigned char)reader->line[reader->at] : -1;
}

static void skip_blanks(Reader *reader) {
    int c;
    while ((c = peek(reader)) == ' ' || c == '\t' || c == '\n' || c == '\r') reader->at++;
}

static int hex_digit(int c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// One character of UTF-8, strictly; its bytes, or 0.
static int decode_utf8(const unsigned char *bytes, size_t left, unsigned *point) {
    unsigned c = bytes[0];
    int more = c < 0x80 ? 0 : c >= 0xC2 && c < 0xE0 ? 1 : (c & 0xF0) == 0xE0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : -1;
    if (more < 0 || (size_t)more >= left) return 0;
    unsigned value = more == 0 ? c : c & (0x3F >> more);
    for (int i = 1; i <= more; i++) {
        if ((bytes[i] & 0xC0) != 0x80) return 0;
        value = value << 6 | (bytes[i] & 0x3F);
    }
    if ((more == 2 && value < 0x800) || (more == 3 && value < 0x10000) || value > 0x10FFFF) return 0;
    if (value >= 0xD800 && value < 0xE000) return 0;
    *point = value;
    return more + 1;
}

static bool read_string(Reader *reader, WCHAR **text, size_t *length) {
    reader->at++;
    WCHAR *units = take((reader->length - reader->at + 1) * sizeof(WCHAR));
    size_t count = 0;
    for (;;) {
        int c = peek(reader);
        if (c < 0) return wrong(reader, "the text has no end"), false;
        if (c < 0x20) return wrong(reader, "a control character in a text"), false;
        if (c == '"') break;
        if (c == '\\') {
            static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
            reader->at++;
            c = peek(reader);
            const char *found = c > 0 ? strchr(from, c) : NULL;
            if (found) {
                units[count++] = (WCHAR)to[found - from];
                reader->at++;
            } else if (c == 'u') {
                unsigned value = 0;
                for (int i = 1; i <= 4; i++) {
                    int digit = reader->at + i < reader->length ? hex_digit(reader->line[reader->at + i]) : -1;
                    if (digit < 0) return wrong(reader, "\\u needs four digits"), false;
                    value = value << 4 | (unsigned)digit;
                }
                units[count++] = (WCHAR)value;
                reader->at += 5;
            } else {
                return wrong(reader, "no such escape"), false;
            }
            continue;
        }
        unsigned point;
        int bytes = decode_utf8((const unsigned char *)reader->line + reader->at, reader->length - reader->at, &point);
        if (!bytes) return wrong(reader, "no UTF-8"), false;
        if (point >= 0x10000) {
            units[count++] = (WCHAR)(0xD800 + ((point - 0x10000) >> 10));
            units[count++] = (WCHAR)(0xDC00 + (point & 0x3FF));
        } else {
            units[count++] = (WCHAR)point;
        }
        reader->at += (size_t)bytes;
    }
    reader->at++;
    units[count] = 0;
    *text = units;
    *length = count;
    return true;
}

static Value *read_value(Reader *reader);

static Value *read_items(Reader *reader, Value *value, char end) {
    Value **last = &value->first;
    reader->at++;
    skip_blanks(reader);
    if (peek(reader) == end) {
        reader->at++;
        return value;
    }
    for (;;) {
        WCHAR *name = NULL;
        size_t name_length = 0;
        skip_blanks(reader);
        if (end == '}') {
            if (peek(reader) != '"') return wrong(reader, "a field begins with its name");
            if (!read_string(reader, &name, &name_length)) return NULL;
            skip_blanks(reader);
            if (peek(reader) != ':') return wrong(reader, "a colon lacks");
            reader->at++;
        }
        Value *item = read_value(reader);
        if (!item) return NULL;
        item->name = name;
        item->name_length = name_length;
        *last = item;
        last = &item->next;
        skip_blanks(reader);
        int c = peek(reader);
        if (c != ',' && c != end) return wrong(reader, "a comma or the end lacks");
        reader->at++;
        if (c == end) return value;
    }
}

static Value *read_value(Reader *reader) {
    skip_blanks(reader);
    if (reader->depth > 64) return wrong(reader, "too deep");
    Value *value = take(sizeof *value);
    memset(value, 0, sizeof *value);
    value->raw = reader->line + reader->at;
    size_t start = reader->at;
    int c = peek(reader);
    static const struct {
        const char *word;
        Kind kind;
    } words[] = {{"null", J_NULL}, {"false", J_FALSE}, {"true", J_TRUE}};
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(words[i].word);
        if (reader->length - reader->at >= length && !memcmp(value->raw, words[i].word, length)) {
            reader->at += length;
            value->kind = words[i].kind;
            value->raw_length = length;
            return value;
        }
    }
    if (c == '"') {
        value->kind = J_STRING;
        if (!read_string(reader, &value->text, &value->length)) return NULL;
    } else if (c == '{' || c == '[') {
        value->kind = c == '{' ? J_OBJECT : J_LIST;
        reader->depth++;
        if (!read_items(reader, value, c == '{' ? '}' : ']')) return NULL;
        reader->depth--;
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        value->kind = J_NUMBER;
        value->whole = c != '-';
        if (c == '-') reader->at++;
        if (peek(reader) < '0' || peek(reader) > '9') return wrong(reader, "a number needs digits");
        while ((c = peek(reader)) >= '0' && c <= '9') {
            if (value->number > (ULLONG_MAX - 9) / 10) value->whole = false;
            else value->number = value->number * 10 + (unsigned)(c - '0');
            reader->at++;
        }
        while ((c = peek(reader)) == '.' || c == 'e' || c == 'E' || c == '+' || c == '-' || (c >= '0' && c <= '9')) {
            value->whole = false;
            reader->at++;
        }
    } else {
        return wrong(reader, c < 0 ? "the line ends too early" : "no value begins so");
    }
    value->raw_length = reader->at - start;
    return value;
}

Value *parse(const char *line, size_t length, size_t *column, const char **reason) {
    Reader reader = {line, 0, length, NULL, 0};
    Value *value = read_value(&reader);
    if (value) {
        skip_blanks(&reader);
        if (reader.at < length) value = wrong(&reader, "more follows");
    }
    if (value && value->kind != J_OBJECT) {
        reader.at = 0;
        value = wrong(&reader, "a request is a JSON object");
    }
    *column = reader.at + 1;
    *reason = reader.reason;
    return value;
}

bool is_text(const Value *value, const char *text) {
    size_t length = strlen(text);
    if (!value || value->kind != J_STRING || value->length != length) return false;
    for (size_t i = 0; i < length; i++)
        if (value->text[i] != (WCHAR)text[i]) return false;
    return true;
}

Value *field(const Value *object, const char *name) {
    size_t length = strlen(name);
    for (Value *item = object->first; item; item = item->next) {
        if (item->name_length != length) continue;
        size_t i = 0;
        while (i < length && item->name[i] == (WCHAR)name[i]) i++;
        if (i == length) return item->kind == J_NULL ? NULL : item;
    }
    return NULL;
}

void put_bytes(Out *out, const char *bytes, size_t length) {
    if (out->room - out->length < length) {
        size_t room = out->room ? out->room * 2 : 4096;
        while (room - out->length < length) room *= 2;
        char *grown = realloc(out->bytes, room);
        if (!grown) abort();
        out->bytes = grown;
        out->room = room;
    }
    memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

void put(Out *out, const char *text) {
    put_bytes(out, text, strlen(text));
}

void put_number(Out *out, unsigned long long number) {
    char digits[32];
    snprintf(digits, sizeof digits, "%llu", number);
    put(out, digits);
}

void put_wide(Out *out, const WCHAR *text, size_t length) {
    put(out, "\"");
    for (size_t i = 0; i < length; i++) {
        unsigned c = text[i];
        char bytes[8];
        if (c == '"' || c == '\\') {
            snprintf(bytes, sizeof bytes, "\\%c", (char)c);
            put(out, bytes);
            continue;
        }
        if (c >= 0xD800 && c < 0xDC00 && i + 1 < length && text[i + 1] >= 0xDC00 && text[i + 1] < 0xE000) {
            c = 0x10000 + ((c - 0xD800) << 10) + (text[++i] - 0xDC00u);
        } else if (c < 0x20 || (c >= 0xD800 && c < 0xE000)) {
            snprintf(bytes, sizeof bytes, "\\u%04x", c);
            put(out, bytes);
            continue;
        }
        size_t count = 0;
        if (c < 0x80) {
            bytes[count++] = (char)c;
        } else if (c < 0x800) {
            bytes[count++] = (char)(0xC0 | c >> 6);
            bytes[count++] = (char)(0x80 | (c & 0x3F));
        } else if (c < 0x10000) {
            bytes[count++] = (char)(0xE0 | c >> 12);
            bytes[count++] = (char)(0x80 | (c >> 6 & 0x3F));
            bytes[count++] = (char)(0x80 | (c & 0x3F));
        } else {
            bytes[count++] = (char)(0xF0 | c >> 18);
            bytes[count++] = (char)(0x80 | (c >> 12 & 0x3F));
            bytes[count++] = (char)(0x80 | (c >> 6 & 0x3F));
            bytes[count++] = (char)(0x80 | (c & 0x3F));
        }
        put_bytes(out, bytes, count);
    }
    put(out, "\"");
}

void put_text(Out *out, const char *text) {
    size_t length = strlen(text);
    WCHAR *wide = take((length + 1) * sizeof(WCHAR));
    for (size_t i = 0; i < length; i++) wide[i] = (unsigned char)text[i];
    put_wide(out, wide, length);
}

void put_hex(Out *out, const void *bytes, size_t length) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    put(out, "\"");
    for (size_t i = 0; i < length; i++) {
        char pair[2] = {digits[from[i] >> 4], digits[from[i] & 15]};
        put_bytes(out, pair, 2);
    }
    put(out, "\"");
}
