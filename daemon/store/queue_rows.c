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
    sqlite3_stmt *statement = db_writing(db, sql, err);
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
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_text(statement, 1, queue);
    bind_text(statement, 2, key);
    return db_run(db, statement, err);
}

struct reading {
    queue_row_fn each; /* may be NULL */
    void *arg;
};

static int read_row(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    const char *queue = (const char *)sqlite3_column_text(statement, 0);
    const char *key = (const char *)sqlite3_column_text(statement, 1);
    const char *value = (const char *)sqlite3_column_text(statement, 2);
    if (sum_of(queue, key, value) != sqlite3_column_int64(statement, 3))
        return error_set(err, ERROR_DAMAGED, "the setting %.40s of queue %.80s fails its checksum",
                         key, queue);
    return reading->each == NULL ? 0 : reading->each(reading->arg, queue, key, value, err);
}

int queue_rows_each(struct db *db, queue_row_fn each, void *arg, struct error *err)
{
    static const char sql[] = "SELECT queue,key,value,sum FROM queue_setting ORDER BY queue,key";
    struct reading reading = {each, arg};
    return db_each(db, db_statement(db, sql, err), read_row, &reading, err);
}

int queue_rows_move_jobs(struct db *db, const char *from, const char *to, struct error *err)
{
    static const char sql[] =
        "UPDATE job SET queue=?2,queue_sum=?3 WHERE id IN (SELECT id FROM job INDEXED BY job_open"
        " WHERE state<4 AND queue=?1)";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_text(statement, 1, from);
    bind_text(statement, 2, to);
    (void)sqlite3_bind_int64(statement, 3, sum_text(0, to));
    return db_run(db, statement, err);
}

int queue_rows_move_job(struct db *db, uint64_t job, const char *to, struct error *err)
{
    static const char sql[] = "UPDATE job SET queue=?2,queue_sum=?3 WHERE id=?1";
    if (db_begin(db, err) < 0)
        return -1;
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)job);
    bind_text(statement, 2, to);
    (void)sqlite3_bind_int64(statement, 3, sum_text(0, to));
    return db_run(db, statement, err);
}
