/* The whole store, row by row: each table's file says what a sound row is. */
#ifndef BATCHD_DAEMON_STORE_CHECK_H
#define BATCHD_DAEMON_STORE_CHECK_H

#include "daemon/store/db.h"

/* Pages, indexes and the checksum of every row, without changing anything. 0, or -1 with
 * ERROR_DAMAGED or ERROR_IO. */
int store_check(struct db *db, struct error *err);

#endif
