/* What a job was submitted to wait for, one row a dependency, and which of it is done. Kept until
 * the job's row goes. */
#ifndef BATCHD_DAEMON_STORE_DEPENDENCY_ROWS_H
#define BATCHD_DAEMON_STORE_DEPENDENCY_ROWS_H

#include "daemon/core/dependency_spec.h"
#include "daemon/store/db.h"

#define DEPENDENCY_OPEN 0
#define DEPENDENCY_GONE (-1) /* can never be fulfilled; of a job for which another one may be */

struct dependency_row {
    uint64_t job;
    uint32_t position; /* among the job's, from 0 */
    bool any;          /* one of the job's is enough */
    struct dependency what;
    int64_t done_at; /* when it was fulfilled, or one of the two above */
};

/* Writes or replaces a row. */
int dependency_rows_put(struct db *db, const struct dependency_row *row, struct error *err);
int dependency_rows_delete(struct db *db, uint64_t job, struct error *err);

/* Rows in the order of job and position; `call` must not touch the store. ERROR_DAMAGED: one fails
 * its checksum. */
typedef void (*dependency_row_fn)(void *arg, const struct dependency_row *row);
int dependency_rows_each(struct db *db, uint64_t job, dependency_row_fn call, void *arg,
                         struct error *err);
/* Those of all unfinished jobs. */
int dependency_rows_each_open(struct db *db, dependency_row_fn call, void *arg, struct error *err);
/* Those of one job as they were submitted (dependency_spec_done), and since when all that it needs
 * of them are fulfilled; 0: not yet, or there are none. aftercorr keeps tasks, not the array: when
 * it is all that is left, nothing has ever been in its way, and that is a time before every submit.
 */
int dependency_rows_load(struct db *db, uint64_t job, struct dependency_spec *ret,
                         int64_t *ret_done_at, struct error *err);
/* Checks every row. */
int dependency_rows_check(struct db *db, struct error *err);

#endif
