/* How the store's tables change from version to version, since the first.
 *
 * To change the schema: add one element to `migrations` in migrations.c (never edit one that was
 * released), raise nothing by hand (the version is the number of elements), add a saved store of
 * the version before to tests/data, and say it in CHANGELOG. Each migration runs in one transaction
 * with the version number, so a crash leaves the old schema or the new one. What all of them make
 * of an empty store is written down when batchd is built (schema_latest.h). */
#ifndef BATCHD_DAEMON_STORE_MIGRATIONS_H
#define BATCHD_DAEMON_STORE_MIGRATIONS_H

#include "common/error.h"

#include <stdint.h>

#include <sqlite3.h>

/* How many there are: the version that they lead to. */
int migrations_count(void);

/* Brings a store with this stamp to the newest version, one by one. 0 or -1, then as far as it
 * came. */
int migrations_run(sqlite3 *handle, uint32_t stamp, struct error *err);

#endif
