/* The one connection to the store. Exactly one process has it open for writing and the same
 * connection checkpoints: SQLite before 3.51.3 can corrupt a WAL when two connections do (the
 * daemon's lock file keeps a second daemon out, and no other code opens the file).
 *
 * Everything written between two commits is one transaction: db_begin is called by the first write
 * of a loop turn, db_commit by its end. After a failed commit nothing may be said or done; the
 * caller ends the process. Every statement is prepared once and reset where it was stepped. */
#ifndef BATCHD_DAEMON_STORE_DB_H
#define BATCHD_DAEMON_STORE_DB_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

struct db;

struct db_options {
    uint64_t cache_bytes;     /* SQLite's page cache */
    uint64_t wal_limit_bytes; /* the WAL is copied back when it is longer */
};

/* Opens or creates the store. ERROR_DAMAGED: not ours, newer than us, beside the log of another, or
 * fails a check (nothing was touched); ERROR_IO: the disk. NULL on error. */
struct db *db_open(const char *path, const struct db_options *options, struct error *err);
/* A copy, to be read only: nothing is made beside it or brought up to date. NULL on error. */
struct db *db_open_copy(const char *path, struct error *err);
void db_close(struct db *db);
/* Of the library that is loaded: "3.40.1", 3040001. */
const char *db_library_version(void);
int db_library_number(void);

/* Full check of pages and indexes, without changing anything. 0 or -1 with ERROR_DAMAGED. */
int db_check(struct db *db, struct error *err);

int db_begin(struct db *db, struct error *err); /* no-op inside a transaction */
int db_commit(struct db *db, struct error *err);
bool db_in_transaction(const struct db *db);
/* How often SQLite refused something since it was opened. */
uint64_t db_errors(const struct db *db);

/* Copies the WAL into the database and cuts it to nothing, to give its space back. What cannot be
 * done now, as within a transaction, is done by a later one. */
void db_shrink(struct db *db);

/* A statement prepared once and kept for the life of `db`; found again by the address of its text,
 * which must be static. NULL with err. */
sqlite3_stmt *db_statement(struct db *db, const char *sql, struct error *err);

/* The same for one that writes: the transaction is begun before. */
sqlite3_stmt *db_writing(struct db *db, const char *sql, struct error *err);

/* Steps a statement that returns no row and resets it. */
int db_run(struct db *db, sqlite3_stmt *statement, struct error *err);

/* Calls `each` with every row of the statement, whose parameters are bound, and resets it. `each`
 * answers 0 to go on, 1 to stop, and -1 with err. A statement of NULL is that db_statement failed.
 * 0 or -1. */
typedef int (*db_row_fn)(void *arg, sqlite3_stmt *row, struct error *err);
int db_each(struct db *db, sqlite3_stmt *statement, db_row_fn each, void *arg, struct error *err);

/* SQLITE_ROW, SQLITE_DONE, or -1 with err (the statement is reset then and after SQLITE_DONE). */
int db_step(struct db *db, sqlite3_stmt *statement, struct error *err);

sqlite3 *db_handle(struct db *db); /* for store/ only */
int64_t db_last_id(const struct db *db);

uint64_t db_commit_count(const struct db *db);

#endif
