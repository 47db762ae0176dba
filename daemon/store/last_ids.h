/* The last id that each table gave: no id is given twice, even when its row is gone. SQLite keeps
 * them in a table that has no checksums. Each is the greatest id of a row, or what was noted before
 * rows were deleted (number_rows.h). */
#ifndef BATCHD_DAEMON_STORE_LAST_IDS_H
#define BATCHD_DAEMON_STORE_LAST_IDS_H

#include "daemon/store/db.h"

/* Before rows of this table are deleted. Writes only when it gave an id since the last time. */
int last_ids_note(struct db *db, const char *table, struct error *err);

/* Deletes the row `id` (?1 of `sql`) of this table. */
int last_ids_delete(struct db *db, const char *table, const char *sql, uint64_t id,
                    struct error *err);

/* ERROR_DAMAGED: one is not what it was. */
int last_ids_check(struct db *db, struct error *err);

#endif
