#include "daemon/store/queue_rows.h"

#include "daemon/store/status_columns.h"

static uint32_t sum_of(const char *queue, const char *key, const char *value)
{
    return sum_text(sum_text(sum_text(0, queue), key), value);
}

int queue_rows_put(struct db *db, const char *queue, const char *key, const char *value,
                   struct error *err)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO queue_setting(queue,key,value,sum) VALUES(?1,?2,?3,?4)";
    if (db_begin(db, err) < 0)
        return -1;
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_text(statement, 1, queue);
    bind_text(statement, 2, key);
    bind_text(statement, 3, value);
    (void)sqlite3_bind_int64(statement, 4, sum_of(queue, key, value));
    return db_run(db, statement, err);
}

int queue_rows_delete(struct db *db, const char *queue, const char *key, struct error *err)
{
    static const char sql[] = "DELETE FROM queue_setting WHERE queue=?1 AND (?2 IS NULL OR key=?2)";
    if (db_begin(db, err) < 0)
        return -1;
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_text(statement, 1, queue);
    bind_text(statement, 2, key);
    return db_run(db, statement, err);
}

static int read_row(sqlite3_stmt *statement, queue_row_fn each, void *arg, struct error *err)
{
    const char *queue = (const char *)sqlite3_column_text(statement, 0);
    const char *key = (const char *)sqlite3_column_text(statement, 1);
    const char *value = (const char *)sqlite3_column_text(statement, 2);
    if (sum_of(queue, key, value) != (uint32_t)sqlite3_column_int64(statement, 3))
        return error_set(err, ERROR_DAMAGED, "the setting %.40s of queue %.80s fails its checksum",
                         key, queue);
    return each == NULL ? 0 : each(arg, queue, key, value, err);
}

int queue_rows_each(struct db *db, queue_row_fn each, void *arg, struct error *err)
{
    static const char sql[] = "SELECT queue,key,value,sum FROM queue_setting ORDER BY queue,key";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    int code;
    while ((code = db_step(db, statement, err)) == SQLITE_ROW) {
        if (read_row(statement, each, arg, err) < 0) {
            (void)sqlite3_reset(statement);
            return -1;
        }
    }
    return code < 0 ? -1 : 0;
}

int queue_rows_move_jobs(struct db *db, const char *from, const char *to, struct error *err)
{
    static const char sql[] =
        "UPDATE job SET queue=?2 WHERE id IN (SELECT id FROM job INDEXED BY job_open"
        " WHERE state<4 AND queue=?1)";
    if (db_begin(db, err) < 0)
        return -1;
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_text(statement, 1, from);
    bind_text(statement, 2, to);
    return db_run(db, statement, err);
}
