/* Named numbers that live in the store. */
#ifndef BATCHD_DAEMON_STORE_NUMBER_ROWS_H
#define BATCHD_DAEMON_STORE_NUMBER_ROWS_H

#include "daemon/store/db.h"

/* Absent reads as 0. ERROR_DAMAGED: its row fails its checksum. */
int number_rows_get(struct db *db, const char *name, int64_t *ret, struct error *err);
int number_rows_set(struct db *db, const char *name, int64_t value, struct error *err);

int number_rows_check(struct db *db, struct error *err);

#endif
