/* Which job a job is the retry of. */
#ifndef BATCHD_DAEMON_STORE_RETRY_ROWS_H
#define BATCHD_DAEMON_STORE_RETRY_ROWS_H

#include "daemon/store/db.h"

int retry_rows_insert(struct db *db, uint64_t job, uint64_t retry_of, struct error *err);
/* *ret is 0 when it is none. */
int retry_rows_load(struct db *db, uint64_t job, uint64_t *ret, struct error *err);
/* Checks every row. */
int retry_rows_check(struct db *db, struct error *err);

#endif
