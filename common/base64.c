#include "common/base64.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t bytes)
{
    const uint8_t *at = data;
    char *text = xmalloc((bytes + 2) / 3 * 4 + 1);
    char *to = text;
    for (size_t i = 0; i < bytes; i += 3) {
        size_t here = bytes - i < 3 ? bytes - i : 3;
        uint32_t group = (uint32_t)at[i] << 16U;
        group |= here > 1 ? (uint32_t)at[i + 1] << 8U : 0;
        group |= here > 2 ? at[i + 2] : 0;
        *to++ = alphabet[group >> 18U];
        *to++ = alphabet[group >> 12U & 63U];
        *to++ = here > 1 ? alphabet[group >> 6U & 63U] : '=';
        *to++ = here > 2 ? alphabet[group & 63U] : '=';
    }
    *to = '\0';
    return text;
}

static int value_of(char c)
{
    const char *found = c == '\0' ? NULL : strchr(alphabet, c);
    return found == NULL ? -1 : (int)(found - alphabet);
}

/* Four characters to up to three bytes: how many, or -1. */
static int decode_group(const char *text, bool last, char *to)
{
    int padding = last ? (text[3] == '=') + (text[2] == '=' && text[3] == '=') : 0;
    uint32_t group = 0;
    for (int i = 0; i < 4; i++) {
        int value = i >= 4 - padding ? 0 : value_of(text[i]);
        if (value < 0)
            return -1;
        group = group << 6U | (uint32_t)value;
    }
    if ((padding == 1 && (group & 0xffU) != 0) || (padding == 2 && (group & 0xffffU) != 0))
        return -1;
    to[0] = (char)(group >> 16U);
    to[1] = (char)(group >> 8U);
    to[2] = (char)group;
    return 3 - padding;
}

int base64_decode(const char *text, size_t length, char **ret, size_t *ret_bytes, struct error *err)
{
    if (length % 4 != 0)
        return error_set(err, ERROR_INVALID, "base64 of %zu characters lacks padding", length);
    CLEANUP_FREE char *data = xmalloc(length / 4 * 3 + 1);
    size_t used = 0;
    for (size_t i = 0; i < length; i += 4) {
        int got = decode_group(text + i, i + 4 == length, data + used);
        if (got < 0)
            return error_set(err, ERROR_INVALID, "not base64 at character %zu", i);
        used += (size_t)got;
    }
    data[used] = '\0';
    *ret = TAKE_PTR(data);
    *ret_bytes = used;
    return 0;
}
