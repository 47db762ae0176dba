/* The checkpoints of jobs that made some, and what is noted of attempts that have something to be
 * noted: few have either. Both go with the job's row. */
#ifndef BATCHD_DAEMON_STORE_CHECKPOINT_ROWS_H
#define BATCHD_DAEMON_STORE_CHECKPOINT_ROWS_H

#include "common/worker_protocol.h"
#include "daemon/store/db.h"

/* The newest of a job or task, as the process that made it told. */
struct checkpoint_fact {
    uint64_t number; /* 0: none was made */
    uint64_t count;  /* that were told */
    uint32_t attempt;
    uint64_t bytes;
    int64_t made_at; /* microseconds since the epoch */
};

/* Of the job or task that `of` names; its attempt does not count. */
int checkpoint_rows_put(struct db *db, const struct attempt_id *of,
                        const struct checkpoint_fact *fact, struct error *err);
/* All zero when there is none. */
int checkpoint_rows_load(struct db *db, const struct attempt_id *of, struct checkpoint_fact *ret,
                         struct error *err);

/* Of this attempt; replaces what was noted before. */
int note_rows_put(struct db *db, const struct attempt_id *of, const struct job_notes *notes,
                  struct error *err);
/* Empty when there is none. */
int note_rows_load(struct db *db, const struct attempt_id *of, struct job_notes *ret,
                   struct error *err);

/* Checks every row of both. */
int checkpoint_rows_check(struct db *db, struct error *err);

#endif
