/* The store's tables: made, brought up to date (migrations.h says how they change), and compared
 * with what they should be. */
#ifndef BATCHD_DAEMON_STORE_SCHEMA_H
#define BATCHD_DAEMON_STORE_SCHEMA_H

#include "common/error.h"

#include <sqlite3.h>

/* Makes an empty store's tables or brings an older one's to this version; refuses a newer one
 * (ERROR_DAMAGED). 0 or -1. */
int schema_upgrade(sqlite3 *handle, struct error *err);

/* Whether tables, indexes and triggers are what this version makes, to the letter. 0, or -1 with
 * ERROR_DAMAGED. */
int schema_check(sqlite3 *handle, struct error *err);

#endif
