#include "daemon/store/db.h"

#include "common/alloc.h"
#include "common/log.h"
#include "daemon/store/memory.h"
#include "daemon/store/result_code.h"
#include "daemon/store/schema.h"
#include "daemon/store/schema_sql.h"
#include "daemon/store/stamp.h"
#include "daemon/store/store_file.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* SQLite's first fix of the WAL-reset bug (sqlite.org/wal.html#walresetbug). */
#define FIXED_WAL_RESET 3051003
#define STATEMENTS_MAX 256U
/* FULL: a commit is on disk when it comes back. The tests of power loss build one with less, to
 * show that they can fail. */
#ifndef BATCHD_MUTANT_SYNCHRONOUS
#define SYNCHRONOUS "2"
#else
#define SYNCHRONOUS BATCHD_MUTANT_SYNCHRONOUS
#endif

struct db {
    sqlite3 *handle;
    struct {
        const char *sql; /* identity: the address of the caller's constant */
        sqlite3_stmt *statement;
    } cache[STATEMENTS_MAX];
    size_t cached;
    uint64_t commits;
    bool in_transaction;
    uint32_t stamp;      /* what the last commit left in the header (stamp.h) */
    bool log_may_begin;  /* SQLite may begin the log anew with the next commit */
    uint64_t errors;     /* calls that SQLite refused */
    uint64_t log_pages;  /* after the last commit */
    uint64_t pages_most; /* then the log is copied into the store */
};

/* A quota that is used up (EDQUOT) is a full disk to us; SQLite names only ENOSPC so. */
static bool is_full(struct db *db, int code)
{
    int number = sqlite3_system_errno(db->handle);
    return (code & 0xff) == SQLITE_FULL ||
           ((code & 0xff) == SQLITE_IOERR && (number == ENOSPC || number == EDQUOT));
}

/* Maps SQLite's result to our codes: damage is kept apart from input/output, because the exit code
 * and the advice differ. A full disk has ENOSPC in saved_errno. */
static int fail(struct db *db, int code, const char *doing, struct error *err)
{
    db->errors++;
    (void)error_set(err, error_of_result(db->handle, code), "%s: %s", doing,
                    sqlite3_errmsg(db->handle));
    if (err != NULL && is_full(db, code))
        err->saved_errno = ENOSPC;
    return -1;
}

/* Sets a pragma and reads it back: SQLite answers another value rather than fail. */
static int pragma(struct db *db, const char *set, const char *get, const char *wanted,
                  struct error *err)
{
    char *text = NULL;
    int code = sqlite3_exec(db->handle, set, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return fail(db, code, set, err);
    sqlite3_stmt *statement = NULL;
    code = sqlite3_prepare_v2(db->handle, get, -1, &statement, NULL);
    if (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        text = xstrdup((const char *)sqlite3_column_text(statement, 0));
    (void)sqlite3_finalize(statement);
    int result = 0;
    if (text == NULL || strcmp(text, wanted) != 0)
        result = error_set(err, ERROR_IO,
                           "%s answered \"%s\", not \"%s\"; is the state folder on a "
                           "local disk?",
                           get, text == NULL ? "nothing" : text, wanted);
    free(text);
    return result;
}

/* Told by SQLite after each commit. */
static int note_log(void *arg, sqlite3 *handle, const char *name, int pages)
{
    struct db *db = arg;
    (void)handle;
    (void)name;
    db->log_pages = (uint64_t)pages;
    return SQLITE_OK;
}

static int configure(struct db *db, const struct db_options *options, struct error *err)
{
    char set[96];
    char wanted[32];
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    if (pragma(db, "PRAGMA locking_mode=EXCLUSIVE", "PRAGMA locking_mode", "exclusive", err) < 0 ||
        pragma(db, "PRAGMA journal_mode=WAL", "PRAGMA journal_mode", "wal", err) < 0 ||
        pragma(db, "PRAGMA synchronous=" SYNCHRONOUS, "PRAGMA synchronous", SYNCHRONOUS, err) < 0 ||
        pragma(db, "PRAGMA foreign_keys=ON", "PRAGMA foreign_keys", "1", err) < 0 ||
        pragma(db, "PRAGMA cell_size_check=ON", "PRAGMA cell_size_check", "1", err) < 0 ||
        pragma(db, "PRAGMA mmap_size=0", "PRAGMA mmap_size", "0", err) < 0)
        return -1;
    (void)snprintf(set, sizeof(set), "PRAGMA cache_size=-%llu",
                   (unsigned long long)(options->cache_bytes / 1024));
    (void)snprintf(wanted, sizeof(wanted), "-%llu",
                   (unsigned long long)(options->cache_bytes / 1024));
    if (pragma(db, set, "PRAGMA cache_size", wanted, err) < 0)
        return -1;
    db->pages_most = options->wal_limit_bytes / 4096;
    (void)sqlite3_wal_hook(db->handle, note_log, db); /* in place of SQLite's own */
    return pragma(db, "PRAGMA journal_size_limit=67108864", "PRAGMA journal_size_limit", "67108864",
                  err);
}

/* When all of the log is in the store, SQLite begins it anew with the next commit. One that has
 * begun already was not stamped for that. */
static int copy_log(struct db *db, int how)
{
    assert(!db->in_transaction);
    db->log_may_begin = true;
    return sqlite3_wal_checkpoint_v2(db->handle, NULL, how, NULL, NULL);
}

/* `stamp` is what the file says without its log. From its first day on a store has its link there,
 * and not in the log alone. */
static int open_schema(struct db *db, uint32_t stamp, struct error *err)
{
    if (schema_upgrade(db->handle, err) < 0 || schema_stamp(db->handle, &db->stamp, err) < 0)
        return -1;
    db->log_may_begin = true;
    if (stamp_is_linked(stamp))
        return 0;
    int code = copy_log(db, SQLITE_CHECKPOINT_TRUNCATE);
    return code == SQLITE_OK ? 0 : fail(db, code, "the log cannot be copied", err);
}

struct db *db_open(const char *path, const struct db_options *options, struct error *err)
{
    uint32_t stamp;
    if (store_file_check(path, &stamp, err) < 0)
        return NULL;
    store_memory_use();
    struct db *db = xcalloc(1, sizeof(*db));
    mode_t saved = umask(0077);
    int code = sqlite3_open_v2(path, &db->handle,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
                               NULL);
    int result = code == SQLITE_OK ? 0 : fail(db, code, path, err);
    if (result == 0 && (configure(db, options, err) < 0 || open_schema(db, stamp, err) < 0))
        result = error_wrap(err, "%s", path);
    (void)umask(saved);
    if (result < 0) {
        db_close(db);
        return NULL;
    }
    if (sqlite3_libversion_number() < FIXED_WAL_RESET)
        log_debug("SQLite %s has the WAL-reset bug; one connection writes and checkpoints, so it "
                  "cannot happen here",
                  sqlite3_libversion());
    return db;
}

struct db *db_open_copy(const char *path, struct error *err)
{
    struct db *db = xcalloc(1, sizeof(*db));
    int code = sqlite3_open_v2(path, &db->handle,
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                                   SQLITE_OPEN_EXRESCODE,
                               NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db->handle, "PRAGMA cell_size_check=ON", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return db;
    (void)fail(db, code, path, err);
    db_close(db);
    return NULL;
}

const char *db_library_version(void)
{
    return sqlite3_libversion();
}

int db_library_number(void)
{
    return sqlite3_libversion_number();
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < db->cached; i++)
        (void)sqlite3_finalize(db->cache[i].statement);
    (void)sqlite3_close(db->handle);
    free(db);
}

int db_check(struct db *db, struct error *err)
{
    sqlite3_stmt *statement = db_statement(db, "PRAGMA integrity_check(1)", err);
    if (statement == NULL)
        return -1;
    int result = db_step(db, statement, err);
    if (result < 0)
        return -1;
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    if (text == NULL || strcmp(text, "ok") != 0)
        result = error_set(err, ERROR_DAMAGED, "integrity check: %s", text == NULL ? "?" : text);
    else
        result = 0;
    (void)sqlite3_reset(statement);
    return result < 0 ? -1 : schema_check(db->handle, err);
}

static int simple(struct db *db, const char *sql, struct error *err)
{
    sqlite3_stmt *statement = db_statement(db, sql, err);
    return statement == NULL ? -1 : db_run(db, statement, err);
}

int db_begin(struct db *db, struct error *err)
{
    static const char sql[] = "BEGIN IMMEDIATE";
    if (db->in_transaction)
        return 0;
    if (simple(db, sql, err) < 0)
        return -1;
    if (db->log_may_begin && schema_set_stamp(db->handle, stamp_next(db->stamp), err) < 0) {
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
        return -1;
    }
    db->in_transaction = true;
    return 0;
}

int db_commit(struct db *db, struct error *err)
{
    static const char sql[] = "COMMIT";
    if (!db->in_transaction)
        return 0;
    /* After FULL, IOERR or NOMEM SQLite may have rolled back by itself: then there is nothing left
     * to commit and COMMIT would "succeed" without the turn's changes. */
    if (sqlite3_get_autocommit(db->handle) != 0)
        return error_set(err, ERROR_IO, "the transaction was rolled back by an earlier error");
    if (simple(db, sql, err) < 0)
        return -1;
    db->in_transaction = false;
    db->commits++;
    if (db->log_may_begin)
        db->stamp = stamp_next(db->stamp);
    db->log_may_begin = false;
    if (db->log_pages >= db->pages_most) /* what cannot be copied now is copied later */
        (void)copy_log(db, SQLITE_CHECKPOINT_PASSIVE);
    return 0;
}

uint64_t db_errors(const struct db *db)
{
    return db->errors;
}

bool db_in_transaction(const struct db *db)
{
    return db->in_transaction;
}

void db_shrink(struct db *db)
{
    if (db->in_transaction)
        return;
    int code = copy_log(db, SQLITE_CHECKPOINT_TRUNCATE);
    if (code != SQLITE_OK)
        log_debug("the WAL cannot be copied now: %s", sqlite3_errmsg(db->handle));
}

sqlite3_stmt *db_statement(struct db *db, const char *sql, struct error *err)
{
    for (size_t i = 0; i < db->cached; i++) {
        if (db->cache[i].sql == sql)
            return db->cache[i].statement;
    }
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    if (code != SQLITE_OK || db->cached == STATEMENTS_MAX) {
        (void)sqlite3_finalize(statement);
        (void)fail(db, code, "cannot prepare a statement", err);
        if (code == SQLITE_ERROR && err != NULL) /* our text is right: a name of it is gone */
            err->code = ERROR_DAMAGED;
        return NULL;
    }
    db->cache[db->cached].sql = sql;
    db->cache[db->cached++].statement = statement;
    return statement;
}

sqlite3_stmt *db_writing(struct db *db, const char *sql, struct error *err)
{
    return db_begin(db, err) < 0 ? NULL : db_statement(db, sql, err);
}

int db_step(struct db *db, sqlite3_stmt *statement, struct error *err)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return code;
    int result = code;
    if (code != SQLITE_DONE)
        result = fail(db, code, "the store refused", err);
    (void)sqlite3_reset(statement);
    return result;
}

int db_run(struct db *db, sqlite3_stmt *statement, struct error *err)
{
    int code = db_step(db, statement, err);
    if (code == SQLITE_ROW)
        (void)sqlite3_reset(statement);
    return code < 0 ? -1 : 0;
}

int db_each(struct db *db, sqlite3_stmt *statement, db_row_fn each, void *arg, struct error *err)
{
    int code = SQLITE_DONE;
    int result = 0;
    if (statement == NULL)
        return -1;
    while (result == 0 && (code = db_step(db, statement, err)) == SQLITE_ROW)
        result = each(arg, statement, err);
    if (code == SQLITE_ROW)
        (void)sqlite3_reset(statement);
    return code < 0 || result < 0 ? -1 : 0;
}

sqlite3 *db_handle(struct db *db)
{
    return db->handle;
}

int64_t db_last_id(const struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

uint64_t db_commit_count(const struct db *db)
{
    return db->commits;
}
