/* The values that the tasks of arrays are given (--each-line): sets of them, each in chunks of a
 * few KiB, so that one task's value costs one small row. A set is written before the job that uses
 * it, by several requests if it is large; what no job uses when the daemon starts is of an upload
 * that was broken off, and goes. Retries of an array share its set. */
#ifndef BATCHD_DAEMON_STORE_VALUE_ROWS_H
#define BATCHD_DAEMON_STORE_VALUE_ROWS_H

#include "daemon/core/value_pack.h"
#include "daemon/store/db.h"

struct value_set {
    uint64_t id;
    uint64_t count, bytes; /* of all values, and in them */
    uint32_t content; /* CRC-32C over their packed form: equal contents are told by all three */
};

/* A new, empty set: sets set->id. */
int value_rows_begin(struct db *db, struct value_set *set, struct error *err);
/* Appends the values of `pack`, at most a few KiB but for a single one, and updates *set. The row
 * of the set is written by value_rows_update. */
int value_rows_append(struct db *db, struct value_set *set, const struct value_pack *pack,
                      struct error *err);
int value_rows_update(struct db *db, const struct value_set *set, struct error *err);

/* 0; -1 with ERROR_NOT_FOUND, ERROR_DAMAGED or ERROR_IO. */
int value_rows_load(struct db *db, uint64_t id, struct value_set *ret, struct error *err);
/* One value with a NUL behind, owned. NULL with ERROR_DAMAGED (also: there is none) or ERROR_IO. */
char *value_rows_find(struct db *db, uint64_t set, uint64_t position, size_t *ret_bytes,
                      struct error *err);

int value_rows_drop(struct db *db, uint64_t id, struct error *err);
int value_rows_drop_unused(struct db *db, struct error *err);
/* Checks every row. */
int value_rows_check(struct db *db, struct error *err);

#endif
