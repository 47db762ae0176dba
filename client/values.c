#include "client/values.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int values_open(const char *path, bool json, struct values *ret, struct error *err)
{
    bool standard = strcmp(path, "-") == 0;
    CLEANUP_FCLOSE FILE *file = standard ? NULL : fopen(path, "re");
    FILE *from = standard ? stdin : file;
    CLEANUP_FREE char *text = NULL;
    size_t room = 0;
    size_t bytes = 0;
    if (from == NULL)
        return error_set(err, ERROR_IO, "%s: %s", path, strerrordesc_np(errno));
    do {
        room = 2 * room + 65536;
        text = xreallocarray(text, room + 1, 1); /* one byte for the NUL that jansson wants not */
        bytes += fread(text + bytes, 1, room - bytes, from);
    } while (bytes == room);
    if (ferror(from) != 0)
        return error_set(err, ERROR_IO, "%s: %s", path, strerrordesc_np(errno));
    text[bytes] = '\0';
    *ret = (struct values){.text = TAKE_PTR(text), .bytes = bytes, .json = json};
    return 0;
}

void values_done(struct values *values)
{
    free(values->text);
    *values = (struct values){.text = NULL};
}

void values_rewind(struct values *values)
{
    values->at = 0;
    values->count = 0;
}

/* Every line is a value, an empty one too, so that a line's number tells its index. */
static json_t *next_line(struct values *values, struct error *err)
{
    if (values->at == values->bytes)
        return NULL;
    const char *line = values->text + values->at;
    const char *end = memchr(line, '\n', values->bytes - values->at);
    size_t length = end == NULL ? values->bytes - values->at : (size_t)(end - line);
    values->count++;
    if (memchr(line, '\0', length) != NULL) {
        (void)error_set(err, ERROR_INVALID, "line %" PRIu64 " holds a NUL byte", values->count);
        return NULL;
    }
    values->at += length + (end != NULL);
    return json_from_bytes(line, length);
}

/* ---- a JSON array, element by element: a large file is never a tree in memory ---- */

static void skip_blanks(struct values *values)
{
    while (values->at < values->bytes && strchr(" \t\r\n", values->text[values->at]) != NULL &&
           values->text[values->at] != '\0')
        values->at++;
}

static bool take_sign(struct values *values, char sign)
{
    skip_blanks(values);
    bool there = values->at < values->bytes && values->text[values->at] == sign;
    values->at += there;
    return there;
}

static json_t *bad_json(const struct values *values, const char *what, struct error *err)
{
    (void)error_set(err, ERROR_INVALID, "element %" PRIu64 ": %s", values->count, what);
    return NULL;
}

/* Checked JSON without the blanks between its tokens. */
static json_t *compact(const char *text, size_t bytes)
{
    CLEANUP_FREE char *out = xmemdup(text, bytes);
    size_t length = 0;
    bool inside = false;
    for (size_t i = 0; i < bytes; i++) {
        if (inside && text[i] == '\\') {
            out[length++] = text[i++];
        } else if (text[i] == '"') {
            inside = !inside;
        } else if (!inside && strchr(" \t\r\n", text[i]) != NULL) {
            continue;
        }
        out[length++] = text[i];
    }
    return json_from_bytes(out, length);
}

static json_t *parse_element(struct values *values, struct error *err)
{
    json_error_t detail;
    const char *text = values->text + values->at;
    CLEANUP_JSON json_t *element =
        json_loadb(text, values->bytes - values->at,
                   JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_DECODE_INT_AS_REAL, &detail);
    if (element == NULL)
        return bad_json(values, detail.text, err);
    size_t used = (size_t)detail.position;
    values->at += used;
    return json_is_string(element) ? json_incref(element) : compact(text, used);
}

static json_t *next_element(struct values *values, struct error *err)
{
    bool first = values->count == 0;
    if (first && !take_sign(values, '['))
        return bad_json(values, "the file is no JSON array", err);
    if (take_sign(values, ']')) {
        skip_blanks(values);
        return values->at == values->bytes ? NULL : bad_json(values, "text behind the array", err);
    }
    if (!first && !take_sign(values, ','))
        return bad_json(values, "no comma or ] behind it", err);
    skip_blanks(values);
    values->count++;
    return parse_element(values, err);
}

json_t *values_next(struct values *values, struct error *err)
{
    *err = (struct error){.code = ERROR_NONE};
    return values->json ? next_element(values, err) : next_line(values, err);
}
