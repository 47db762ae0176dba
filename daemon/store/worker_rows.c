#include "daemon/store/worker_rows.h"

#include "daemon/store/last_ids.h"
#include "daemon/store/status_columns.h"

/* The id is given by the insert. */
static uint32_t sum_of(const char *boot_id, int64_t made_at)
{
    return sum_number(sum_text(0, boot_id), made_at);
}

int worker_rows_insert(struct db *db, const char *boot_id, int64_t now, uint64_t *ret_id,
                       struct error *err)
{
    static const char sql[] = "INSERT INTO worker(boot_id,made_at,sum) VALUES(?1,?2,?3)";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_text(statement, 1, boot_id, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, 2, now);
    (void)sqlite3_bind_int64(statement, 3, sum_of(boot_id, now));
    if (db_run(db, statement, err) < 0)
        return -1;
    *ret_id = (uint64_t)db_last_id(db);
    return 0;
}

int worker_rows_delete(struct db *db, uint64_t id, struct error *err)
{
    static const char sql[] = "DELETE FROM worker WHERE id=?1";
    if (last_ids_note(db, "worker", err) < 0)
        return -1;
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
    uint64_t id = (uint64_t)sqlite3_column_int64(statement, 0);
    const char *boot_id = (const char *)sqlite3_column_text(statement, 1);
    if (boot_id == NULL ||
        sqlite3_column_int64(statement, 3) != sum_of(boot_id, sqlite3_column_int64(statement, 2)))
        return error_set(err, ERROR_DAMAGED, "worker %llu fails its checksum",
                         (unsigned long long)id);
    return reading->each == NULL ? 0 : reading->each(reading->arg, id, boot_id) != 0;
}

int worker_rows_each(struct db *db, worker_row_fn each, void *arg, struct error *err)
{
    static const char sql[] = "SELECT id, boot_id, made_at, sum FROM worker ORDER BY id";
    struct reading reading = {each, arg};
    return db_each(db, db_statement(db, sql, err), read_row, &reading, err);
}

int worker_rows_check(struct db *db, struct error *err)
{
    return worker_rows_each(db, NULL, NULL, err);
}
