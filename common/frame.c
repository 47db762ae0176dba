#include "common/frame.h"

#include <stdbool.h>
#include <string.h>

static size_t find_terminator(const struct frame_scanner *scanner, const char *data, size_t bytes)
{
    for (size_t i = scanner->scanned; i < bytes; i++) {
        if (scanner->known ? data[i] == (char)scanner->terminator
                           : data[i] == '\0' || data[i] == '\n')
            return i;
    }
    return bytes;
}

enum frame_status frame_find(struct frame_scanner *scanner, const char *data, size_t bytes,
                             size_t *ret_length, struct error *err)
{
    size_t at = find_terminator(scanner, data, bytes);
    if (at > FRAME_BYTES_MAX) {
        (void)error_set(err, ERROR_LIMIT, "a request may have at most %u bytes", FRAME_BYTES_MAX);
        return FRAME_REFUSED;
    }
    scanner->scanned = at;
    if (at == bytes)
        return FRAME_MORE;
    scanner->known = 1;
    scanner->terminator = (unsigned char)data[at];
    scanner->scanned = 0;
    *ret_length = at;
    return FRAME_READY;
}

/* Index of the quote that ends the string whose first byte is at `at`, or `bytes`. */
static size_t skip_string(const char *text, size_t at, size_t bytes)
{
    while (at < bytes && text[at] != '"')
        at += text[at] == '\\' ? 2 : 1;
    return at;
}

int frame_check(const char *text, size_t bytes, struct error *err)
{
    size_t depth = 0;
    size_t nodes = 1;
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (c == '"') {
            i = skip_string(text, i + 1, bytes);
        } else if (c == '{' || c == '[') {
            depth++;
            nodes++;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        } else if (c == ',' || c == ':') {
            nodes++;
        }
        if (depth > FRAME_DEPTH_MAX)
            return error_set(err, ERROR_LIMIT, "a request may be nested at most %u deep",
                             FRAME_DEPTH_MAX);
        if (nodes > FRAME_NODES_MAX)
            return error_set(err, ERROR_LIMIT, "a request may hold at most %u values",
                             FRAME_NODES_MAX);
    }
    return 0;
}
