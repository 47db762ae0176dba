/* Packed values of an array's tasks: what lies in the store, damaged, and what is put in comes out.
 */
#include "tests/fuzz/fuzz.h"

#include "daemon/core/value_pack.h"

static void check_pack(const char *text, size_t bytes)
{
    struct value_pack pack = {.data = NULL};
    const char *at = text;
    const char *end = text + bytes;
    while (at < end) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((line == NULL ? end : line) - at);
        value_pack_add(&pack, at, length);
        size_t found;
        const char *value = value_pack_find(pack.data, pack.bytes, pack.count - 1, &found);
        MUST(value != NULL && found == length && memcmp(value, at, length) == 0);
        at += length + 1;
    }
    size_t found;
    MUST(value_pack_find(pack.data, pack.bytes, pack.count, &found) == NULL);
    value_pack_done(&pack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    CLEANUP_FREE char *copy = fuzz_text(data, bytes);
    for (uint64_t position = 0; position < 4; position++) {
        size_t found;
        const char *value = value_pack_find(copy, bytes, position, &found);
        MUST(value == NULL ||
             (value >= copy && found <= bytes && (size_t)(value - copy) <= bytes - found));
    }
    if (bytes < 4096)
        check_pack(copy, bytes);
    return 0;
}
