/* Rows of the schedules: what never changes by itself, how far each is, and the job that it
 * submits, as a JSON text that is opaque here. Two checksums: the job's text is read and written
 * only when it is needed. */
#ifndef BATCHD_DAEMON_STORE_SCHEDULE_ROWS_H
#define BATCHD_DAEMON_STORE_SCHEDULE_ROWS_H

#include "daemon/core/schedule.h"
#include "daemon/store/db.h"

/* Inserts it and sets schedule->id. The name must be new to its user. */
int schedule_rows_insert(struct db *db, struct schedule *schedule, const char *job,
                         struct error *err);
/* Writes all but the job; and the job. */
int schedule_rows_update(struct db *db, const struct schedule *schedule, struct error *err);
int schedule_rows_set_job(struct db *db, uint64_t id, const char *job, struct error *err);
int schedule_rows_delete(struct db *db, uint64_t id, struct error *err);

/* The job's text; the caller frees. NULL with ERROR_DAMAGED or ERROR_IO. */
char *schedule_rows_load_job(struct db *db, uint64_t id, struct error *err);

/* Every schedule; the callee takes over what it holds. ERROR_DAMAGED: one fails its checksum. */
typedef void (*schedule_fn)(void *arg, struct schedule *schedule);
int schedule_rows_each(struct db *db, schedule_fn call, void *arg, struct error *err);
/* Checks every row. */
int schedule_rows_check(struct db *db, struct error *err);

#endif
