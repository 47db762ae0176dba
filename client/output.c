#include "client/output.h"

#include "common/alloc.h"
#include "common/cleanup.h"

/* Where something is in an array of parts. */
struct place {
    size_t part, byte;
};

/* With a NUL behind; the caller frees. */
static char *data_of(const json_t *part, size_t *ret_bytes)
{
    char *data = NULL;
    *ret_bytes = 0;
    if (json_value_data(json_object_get(part, "data"), &data, ret_bytes) < 0)
        return xstrdup("");
    return data;
}

size_t output_bytes(const json_t *part)
{
    size_t bytes;
    free(data_of(part, &bytes));
    return bytes;
}

static json_t *cut(const json_t *part, size_t from, size_t to)
{
    size_t bytes;
    CLEANUP_FREE char *data = data_of(part, &bytes);
    json_t *piece = json_copy((json_t *)(uintptr_t)part);
    to = to < bytes ? to : bytes;
    from = from < to ? from : to;
    json_put(piece, "data", json_from_bytes(data + from, to - from));
    return piece;
}

json_t *output_behind(const json_t *part, size_t from)
{
    return cut(part, from, SIZE_MAX);
}

/* Behind the end of the first lines. */
static struct place end_of_head(const json_t *parts, uint64_t lines)
{
    for (size_t i = 0; i < json_array_size(parts); i++) {
        size_t bytes;
        CLEANUP_FREE char *data = data_of(json_array_get(parts, i), &bytes);
        for (size_t at = 0; at < bytes; at++) {
            if (data[at] == '\n' && --lines == 0)
                return (struct place){i, at + 1};
        }
    }
    return (struct place){json_array_size(parts), 0};
}

/* Where the last lines begin: behind the end of the line before them. The very last byte ends the
 * last line and none before it. */
static struct place start_of_tail(const json_t *parts, uint64_t lines)
{
    bool last = true;
    for (size_t i = json_array_size(parts); i > 0; i--) {
        size_t bytes;
        CLEANUP_FREE char *data = data_of(json_array_get(parts, i - 1), &bytes);
        for (size_t at = bytes; at > 0; at--) {
            if (data[at - 1] == '\n' && !last && --lines == 0)
                return (struct place){i - 1, at};
            last = false;
        }
    }
    return (struct place){0, 0};
}

json_t *output_lines(const json_t *parts, uint64_t lines, bool head)
{
    struct place from = {0, 0};
    struct place to = {json_array_size(parts), 0};
    if (head)
        to = end_of_head(parts, lines);
    else
        from = start_of_tail(parts, lines);
    json_t *chosen = json_array();
    for (size_t i = from.part; i < json_array_size(parts) && i <= to.part; i++) {
        const json_t *part = json_array_get(parts, i);
        CLEANUP_JSON json_t *piece =
            cut(part, i == from.part ? from.byte : 0, i == to.part ? to.byte : SIZE_MAX);
        if (output_bytes(piece) > 0)
            (void)json_array_append(chosen, piece);
    }
    return chosen;
}
