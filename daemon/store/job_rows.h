/* Job rows: the durable copy of struct job_facts and struct job_status. Writes join the open
 * transaction (db_begin); nothing counts before db_commit. Every row carries two checksums, one
 * over the facts and one over the status, and a row that fails one is never served (ERROR_DAMAGED).
 */
#ifndef BATCHD_DAEMON_STORE_JOB_ROWS_H
#define BATCHD_DAEMON_STORE_JOB_ROWS_H

#include "daemon/core/job.h"
#include "daemon/store/db.h"

/* One whole row; release with job_row_done. */
struct job_row {
    struct job_facts facts;
    struct job_status status;
};

void job_row_done(struct job_row *row);

/* Inserts a pending job and sets facts->id and *status. ERROR_CONFLICT: the key is taken, or what
 * it is to be unique by. */
int job_rows_insert(struct db *db, struct job_facts *facts, struct error *err);

/* Writes a job's status. Refused (ERROR_INTERNAL) when the row is not there. */
int job_rows_update(struct db *db, const struct job_status *status, struct error *err);

/* Writes the facts of a job anew. What a job was submitted by (key, array, owner) must be the same.
 */
int job_rows_rewrite(struct db *db, const struct job_facts *facts, struct error *err);

/* Reads one row. 0; -1 with ERROR_NOT_FOUND, ERROR_DAMAGED or ERROR_IO. */
int job_rows_load(struct db *db, uint64_t id, struct job_row *ret, struct error *err);

/* The id of the job with this uid and key, 0 when there is none. */
int job_rows_find_key(struct db *db, uint32_t uid, const char *key, uint64_t *ret,
                      struct error *err);

/* The unfinished job of this uid that is unique by this, 0 when there is none. */
int job_rows_find_unique(struct db *db, uint32_t uid, const char *unique, uint64_t *ret,
                         struct error *err);

/* The newest unfinished job of this uid and name with an id under `before`, 0 when there is none.
 */
int job_rows_find_namesake(struct db *db, uint32_t uid, const char *name, uint64_t before,
                           uint64_t *ret, struct error *err);
/* The oldest with an id above `after`. */
int job_rows_find_successor(struct db *db, uint32_t uid, const char *name, uint64_t after,
                            uint64_t *ret, struct error *err);

/* What `list` may ask for. Zero-initialised it means everything. */
struct job_filter {
    bool states_set;
    bool states[JOB_STATE_COUNT]; /* counts when states_set */
    bool uid_set;
    uint32_t uid;
    const char *name_glob; /* NULL: any */
    const char *queue;     /* NULL: any */
    int64_t since, until;  /* submitted_at bounds, 0: none */
    int64_t ended_after;   /* leave out what ended before; 0: nothing */
    uint64_t first, last;  /* id bounds, inclusive; 0: none */
    uint64_t after;        /* ids beyond this one, in the direction of the list; 0: from the end */
    bool newest_first;
};

/* Calls `each` with rows in id order until it returns non-zero or they are used up. `each` must not
 * touch the store. The row is the callee's to read, not to keep. 0, or -1 with err. */
typedef int (*job_row_fn)(void *arg, const struct job_row *row);
int job_rows_list(struct db *db, const struct job_filter *filter, job_row_fn each, void *arg,
                  struct error *err);

/* Every unfinished job, for the start of the daemon. Borrowed for the call. */
struct job_open {
    const struct job *job;
    const struct job_status *status;
    /* Only name, type, queue, array, key, estimate_us and what it asks for. */
    const struct job_facts *facts;
};
typedef int (*job_open_fn)(void *arg, const struct job_open *open);
int job_rows_each_open(struct db *db, job_open_fn each, void *arg, struct error *err);

/* Jobs by state, over the whole store. */
int job_rows_count(struct db *db, uint64_t counts[JOB_STATE_COUNT], struct error *err);

/* Reads every row, and so checks every checksum. 0, or -1 with ERROR_DAMAGED. */
int job_rows_check(struct db *db, struct error *err);

#endif
