#include "daemon/store/worker_rows.h"

int worker_rows_insert(struct db *db, const char *boot_id, int64_t now, uint64_t *ret_id,
                       struct error *err)
{
    static const char sql[] = "INSERT INTO worker(boot_id,made_at) VALUES(?1,?2)";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_text(statement, 1, boot_id, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, 2, now);
    if (db_run(db, statement, err) < 0)
        return -1;
    *ret_id = (uint64_t)db_last_id(db);
    return 0;
}

int worker_rows_delete(struct db *db, uint64_t id, struct error *err)
{
    static const char sql[] = "DELETE FROM worker WHERE id=?1";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)id);
    return db_run(db, statement, err);
}

struct reading {
    worker_row_fn each;
    void *arg;
};

static int read_row(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    (void)err;
    int stop = reading->each(reading->arg, (uint64_t)sqlite3_column_int64(statement, 0),
                             (const char *)sqlite3_column_text(statement, 1));
    return stop != 0;
}

int worker_rows_each(struct db *db, worker_row_fn each, void *arg, struct error *err)
{
    static const char sql[] = "SELECT id, boot_id FROM worker ORDER BY id";
    struct reading reading = {each, arg};
    return db_each(db, db_statement(db, sql, err), read_row, &reading, err);
}
