/* The values of an array's tasks as they are kept: each as its length (4 bytes, little-endian) and
 * its bytes, one behind another. Pure. */
#ifndef BATCHD_DAEMON_CORE_VALUE_PACK_H
#define BATCHD_DAEMON_CORE_VALUE_PACK_H

#include <stddef.h>
#include <stdint.h>

/* What Linux lets one string of the environment have (MAX_ARG_STRLEN, 128 KiB), less the name, the
 * equals sign and the NUL. */
#define ARRAY_VALUE_NAME "BATCHD_ARRAY_VALUE"
#define ARRAY_VALUE_BYTES_MAX ((size_t)(128U << 10U) - sizeof(ARRAY_VALUE_NAME) - 1)

struct value_pack {
    char *data; /* owned */
    size_t bytes, room;
    uint64_t count;
};

void value_pack_done(struct value_pack *pack);
/* Puts a copy of it behind the others. */
void value_pack_add(struct value_pack *pack, const char *value, size_t bytes);

/* The value at `position` (from 0) of a pack of `bytes` bytes: borrowed, without a NUL behind it.
 * NULL when there is none: a damaged pack, or a position beyond its end. */
const char *value_pack_find(const char *data, size_t bytes, uint64_t position, size_t *ret_bytes);

#endif
