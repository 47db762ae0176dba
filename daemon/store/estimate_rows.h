/* What was learned of how long jobs run: a row for each class (core/estimates.h), rewritten when a
 * job of it ended, in the transaction of that end. */
#ifndef BATCHD_DAEMON_STORE_ESTIMATE_ROWS_H
#define BATCHD_DAEMON_STORE_ESTIMATE_ROWS_H

#include "daemon/core/estimates.h"
#include "daemon/store/db.h"

/* Writes or replaces the class's row. */
int estimate_rows_put(struct db *db, const struct estimate *one, struct error *err);
/* Deletes it: kind, uid and name count. */
int estimate_rows_delete(struct db *db, const struct estimate *one, struct error *err);
/* Each row in the order of learned_at. ERROR_DAMAGED: one fails its checksum. */
int estimate_rows_each(struct db *db, estimate_fn call, void *arg, struct error *err);
/* Checks every row. */
int estimate_rows_check(struct db *db, struct error *err);

#endif
