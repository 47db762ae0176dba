/* How many tasks of an array may fail before the rest of it is cancelled: "3", or "10%" of all its
 * tasks. Pure. */
#ifndef BATCHD_DAEMON_CORE_FAILS_LIMIT_H
#define BATCHD_DAEMON_CORE_FAILS_LIMIT_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fails_kind { FAILS_ANY, FAILS_COUNT, FAILS_PERCENT }; /* the store has these numbers */

/* Zero-initialised: any number of them. */
struct fails_limit {
    enum fails_kind kind;
    uint32_t most; /* tasks, or percent of all tasks */
};

/* "0" to "4294967295", "0%" to "100%". 0, or -1 with ERROR_INVALID that names the field
 * "max_fails"; *ret is set only on success. */
int fails_limit_parse(const char *text, struct fails_limit *ret, struct error *err);

/* Whether so many of `total` tasks are more than it allows. */
bool fails_limit_passed(const struct fails_limit *limit, uint64_t failed, uint64_t total);

/* As it was written; "" for FAILS_ANY. */
void fails_limit_format(const struct fails_limit *limit, char *ret, size_t bytes);

#endif
