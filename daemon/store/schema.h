/* The store's tables and how they change from version to version.
 *
 * To change the schema: add one element to `migrations` in schema.c (never edit one that was
 * released), raise nothing by hand (the version is the number of elements), add a saved store of
 * the version before to tests/data, and say it in CHANGELOG. Each migration runs in one transaction
 * with the version number, so a crash leaves the old schema or the new one. */
#ifndef BATCHD_DAEMON_STORE_SCHEMA_H
#define BATCHD_DAEMON_STORE_SCHEMA_H

#include "common/error.h"

#include <stdint.h>

#include <sqlite3.h>

#define SCHEMA_APPLICATION_ID 0x62617463U /* "batc" in the file's header */

/* Brings a new or older store to this version; refuses a newer one (ERROR_DAMAGED). 0 or -1. */
int schema_upgrade(sqlite3 *handle, struct error *err);

/* The number in the header with the version and the link (stamp.h); set within a transaction. 0 or
 * -1. */
int schema_stamp(sqlite3 *handle, uint32_t *ret, struct error *err);
int schema_set_stamp(sqlite3 *handle, uint32_t stamp, struct error *err);

/* Whether tables, indexes and triggers are what this version makes, to the letter. 0, or -1 with
 * ERROR_DAMAGED. */
int schema_check(sqlite3 *handle, struct error *err);

#endif
