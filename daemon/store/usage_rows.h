/* What the attempts that have ended used, for fair share at the start of the daemon; and, in sums,
 * what those of removed jobs did. */
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
/* The same of one job: the last attempt of a plain one, that of the first `most` of its tasks, or
 * the first `most` of all earlier ones, in the order of their keys. */
enum use_part { USE_OF_JOB, USE_OF_TASKS, USE_OF_ATTEMPTS, USE_PART_COUNT };
struct use_listener {
    use_fn each;
    void *arg;
};
int usage_rows_of(struct db *db, uint64_t job, enum use_part part, int64_t most,
                  const struct use_listener *listener, struct error *err);

/* Of a user, all removed jobs together. */
struct past_use {
    uint32_t uid;
    int64_t used_us; /* of the whole machine, decayed to `at` */
    int64_t at;      /* 0: there is none */
};
int past_use_load(struct db *db, uint32_t uid, struct past_use *ret, struct error *err);
int past_use_put(struct db *db, const struct past_use *past, struct error *err);
typedef void (*past_use_fn)(void *arg, const struct past_use *past);
int past_use_each(struct db *db, past_use_fn each, void *arg, struct error *err);
int past_use_check(struct db *db, struct error *err);

#endif
