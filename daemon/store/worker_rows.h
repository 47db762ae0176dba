/* Workers that were asked for and whose fate is not yet settled. The id is the name of the worker's
 * folder and is never used twice. The row is committed before the spawner is told. */
#ifndef BATCHD_DAEMON_STORE_WORKER_ROWS_H
#define BATCHD_DAEMON_STORE_WORKER_ROWS_H

#include "daemon/core/worker_facts.h"
#include "daemon/store/db.h"

struct worker_row {
    uint64_t id;
    const char *boot_id; /* borrowed */
    struct worker_facts facts;
};

/* row->id is set. */
int worker_rows_insert(struct db *db, struct worker_row *row, struct error *err);
/* Its drain is what changes; all of it is to be set. */
int worker_rows_update(struct db *db, const struct worker_row *row, struct error *err);
int worker_rows_delete(struct db *db, uint64_t id, struct error *err);

typedef int (*worker_row_fn)(void *arg, const struct worker_row *row);
int worker_rows_each(struct db *db, worker_row_fn each, void *arg, struct error *err);

int worker_rows_check(struct db *db, struct error *err);

#endif
