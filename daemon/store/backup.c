#include "daemon/store/backup.h"

#include "common/alloc.h"
#include "daemon/store/schema_sql.h"
#include "daemon/store/stamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES_A_STEP 64

struct backup {
    char *path;
    sqlite3 *copy;
    sqlite3_backup *steps;
};

void backup_remove(const char *path)
{
    static const char *const endings[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        char *name = xasprintf("%s%s", path, endings[i]);
        (void)unlink(name);
        free(name);
    }
}

static int fail(sqlite3 *copy, struct error *err)
{
    int number = sqlite3_system_errno(copy);
    int code = sqlite3_errcode(copy);
    (void)error_set(err, ERROR_IO, "the copy cannot be written: %s", sqlite3_errmsg(copy));
    if (err != NULL && (code == SQLITE_FULL || number == ENOSPC || number == EDQUOT))
        err->saved_errno = ENOSPC;
    return -1;
}

/* Nothing has to survive a crash: the copy goes at the next start. */
static int open_copy(struct backup *backup, struct error *err)
{
    mode_t saved = umask(0077);
    int code = sqlite3_open_v2(backup->path, &backup->copy,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_NOFOLLOW,
                               NULL);
    (void)umask(saved);
    if (code == SQLITE_OK)
        code = sqlite3_exec(backup->copy,
                            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=OFF;"
                            "PRAGMA synchronous=OFF;",
                            NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : fail(backup->copy, err);
}

struct backup *backup_new(struct db *db, const char *path, struct error *err)
{
    struct backup *backup = xcalloc(1, sizeof(*backup));
    backup->path = xstrdup(path);
    backup_remove(path);
    if (open_copy(backup, err) == 0)
        backup->steps = sqlite3_backup_init(backup->copy, "main", db_handle(db), "main");
    if (backup->steps != NULL)
        return backup;
    if (backup->copy != NULL)
        (void)fail(backup->copy, err);
    backup_free(backup);
    return NULL;
}

void backup_free(struct backup *backup)
{
    if (backup == NULL)
        return;
    (void)sqlite3_backup_finish(backup->steps);
    (void)sqlite3_close(backup->copy);
    backup_remove(backup->path);
    free(backup->path);
    free(backup);
}

/* The header says that there is a write-ahead log, as the store has one. Without it nobody has to
 * make one beside the copy to read it. The copy gets a link of its own: what is written to the
 * store from now on is not to be taken for the copy's. */
static int end_copy(struct backup *backup, struct error *err)
{
    uint32_t stamp;
    int code = sqlite3_backup_finish(backup->steps);
    backup->steps = NULL;
    if (code != SQLITE_OK)
        return fail(backup->copy, err);
    (void)sqlite3_close(backup->copy);
    backup->copy = NULL;
    if (open_copy(backup, err) < 0)
        return -1;
    code = sqlite3_exec(backup->copy, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return fail(backup->copy, err);
    if (schema_stamp(backup->copy, &stamp, err) < 0 ||
        schema_set_stamp(backup->copy, stamp_random(stamp), err) < 0)
        return -1;
    (void)sqlite3_close(backup->copy);
    backup->copy = NULL;
    return 0;
}

int backup_step(struct backup *backup, struct error *err)
{
    int code = sqlite3_backup_step(backup->steps, PAGES_A_STEP);
    if (code == SQLITE_OK)
        return 1;
    if (code == SQLITE_DONE)
        return end_copy(backup, err);
    return fail(backup->copy, err);
}

static int read_bytes(void *arg, sqlite3_stmt *row, struct error *err)
{
    uint64_t *ret = arg;
    (void)err;
    *ret = (uint64_t)sqlite3_column_int64(row, 0);
    return 0;
}

uint64_t backup_bytes(struct db *db, struct error *err)
{
    static const char sql[] =
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    uint64_t bytes = 0;
    return db_each(db, db_statement(db, sql, err), read_bytes, &bytes, err) < 0 ? 0 : bytes;
}
