/* What keeps a waiting job from being queued, beyond the jobs before it. Only jobs with such a
 * condition have a row; it is a fact of the job, kept until the job's row goes. */
#ifndef BATCHD_DAEMON_STORE_CONDITION_ROWS_H
#define BATCHD_DAEMON_STORE_CONDITION_ROWS_H

#include "daemon/store/db.h"

struct condition {
    uint64_t job;
    bool hold;           /* as it was submitted */
    bool held;           /* until somebody releases it */
    int64_t begin_at;    /* not before this time, 0: any */
    int64_t deadline_at; /* to have ended by then, 0: none */
    int64_t released_at; /* since when it waited when it was last released, or its begin time or
                          * dependencies were edited; 0: neither */
};

/* Writes or replaces the job's row. */
int condition_rows_put(struct db *db, const struct condition *condition, struct error *err);
/* Reads it; all zero but the job when there is none. */
int condition_rows_load(struct db *db, uint64_t job, struct condition *ret, struct error *err);
/* Those of all unfinished jobs. ERROR_DAMAGED: one fails its checksum. */
typedef void (*condition_fn)(void *arg, const struct condition *condition);
int condition_rows_each_open(struct db *db, condition_fn call, void *arg, struct error *err);
/* Checks every row. */
int condition_rows_check(struct db *db, struct error *err);

#endif
