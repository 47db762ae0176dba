/* What an array was submitted with beyond its tasks. Only arrays that have something of it have a
 * row; it never changes. */
#ifndef BATCHD_DAEMON_STORE_ARRAY_ROWS_H
#define BATCHD_DAEMON_STORE_ARRAY_ROWS_H

#include "daemon/core/fails_limit.h"
#include "daemon/store/db.h"

struct array_options {
    uint64_t job;
    struct fails_limit max_fails;
    uint64_t value_set; /* 0: its tasks have no values */
};

int array_rows_insert(struct db *db, const struct array_options *options, struct error *err);
/* Reads it; all zero but the job when there is none. */
int array_rows_load(struct db *db, uint64_t job, struct array_options *ret, struct error *err);
/* Checks every row. */
int array_rows_check(struct db *db, struct error *err);

#endif
