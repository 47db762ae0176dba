/* What the attempts that have ended used, for fair share at the start of the daemon. */
#ifndef BATCHD_DAEMON_STORE_USAGE_ROWS_H
#define BATCHD_DAEMON_STORE_USAGE_ROWS_H

#include "daemon/core/resources.h"
#include "daemon/store/db.h"

struct use {
    uint32_t uid;
    struct resources held;
    int64_t started_at, ended_at;
};

/* Calls `each` for every attempt of a job or a task that ended after `since`, in no order. Reads
 * the whole table of jobs: numbers only, without their checksums, since nothing but an order
 * depends on them. 0, or -1 with err. */
typedef void (*use_fn)(void *arg, const struct use *use);
int usage_rows_each(struct db *db, int64_t since, use_fn each, void *arg, struct error *err);

#endif
