/* Circuit breakers: a row for each that there is (core/breakers.h), rewritten when it changed, in
 * the transaction of what changed it. */
#ifndef BATCHD_DAEMON_STORE_BREAKER_ROWS_H
#define BATCHD_DAEMON_STORE_BREAKER_ROWS_H

#include "daemon/core/breakers.h"
#include "daemon/store/db.h"

/* Writes or replaces its row. */
int breaker_rows_put(struct db *db, const struct breaker_entry *entry, struct error *err);
/* Deletes it: kind, uid and name count. */
int breaker_rows_delete(struct db *db, const struct breaker_entry *entry, struct error *err);
/* Each row: kind, uid, name, breaker and failed are set. ERROR_DAMAGED: one fails its checksum. */
typedef void (*breaker_row_fn)(void *arg, const struct breaker_entry *stored);
int breaker_rows_each(struct db *db, breaker_row_fn call, void *arg, struct error *err);
/* Checks every row. */
int breaker_rows_check(struct db *db, struct error *err);

#endif
