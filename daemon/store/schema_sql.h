/* What migrations and schema ask of SQLite: statements outside struct db, which stands on them. */
#ifndef BATCHD_DAEMON_STORE_SCHEMA_SQL_H
#define BATCHD_DAEMON_STORE_SCHEMA_SQL_H

#include "common/error.h"

#include <stdint.h>

#include <sqlite3.h>

/* One or several statements that give nothing. 0 or -1. */
int schema_run(sqlite3 *handle, const char *sql, struct error *err);

/* The first number of a query that has a row; ERROR_DAMAGED if it has none. 0 or -1. */
int schema_number(sqlite3 *handle, const char *sql, int *ret, struct error *err);

/* All tables, indexes and triggers with their statements, by name: two schemas are the same if this
 * is, to the letter. The caller frees it; NULL for an empty store. 0 or -1. */
int schema_text(sqlite3 *handle, char **ret, struct error *err);

/* The number in the header with the version and the link (stamp.h); set within a transaction. 0 or
 * -1. */
int schema_stamp(sqlite3 *handle, uint32_t *ret, struct error *err);
int schema_set_stamp(sqlite3 *handle, uint32_t stamp, struct error *err);

/* Says in the header whose store it is; within a transaction. 0 or -1. */
#define SCHEMA_APPLICATION_ID 0x62617463U /* "batc" */
int schema_set_ours(sqlite3 *handle, struct error *err);

#endif
