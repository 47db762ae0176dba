#include "daemon/store/last_ids.h"

#include "daemon/store/number_rows.h"
#include "daemon/store/status_columns.h"

#include <stdio.h>

static int read_id(void *arg, sqlite3_stmt *row, struct error *err)
{
    (void)err;
    *(int64_t *)arg = sqlite3_column_int64(row, 0);
    return 1;
}

int last_ids_note(struct db *db, const char *table, struct error *err)
{
    static const char sql[] = "SELECT seq FROM sqlite_sequence WHERE name=?1";
    char name[40];
    int64_t last = 0;
    int64_t noted = 0;
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_text(statement, 1, table);
    (void)snprintf(name, sizeof(name), "last %s", table); /* as in migration 7 (migrations.c) */
    if (db_each(db, statement, read_id, &last, err) < 0 ||
        number_rows_get(db, name, &noted, err) < 0)
        return -1;
    return noted == last ? 0 : number_rows_set(db, name, last, err);
}

int last_ids_delete(struct db *db, const char *table, const char *sql, uint64_t id,
                    struct error *err)
{
    if (last_ids_note(db, table, err) < 0)
        return -1;
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)id);
    return db_run(db, statement, err);
}

static int compare(void *arg, sqlite3_stmt *row, struct error *err)
{
    (void)arg;
    if (sqlite3_column_int64(row, 1) == sqlite3_column_int64(row, 2))
        return 0;
    return error_set(err, ERROR_DAMAGED, "the last id of the table %s is %lld and should be %lld",
                     (const char *)sqlite3_column_text(row, 0),
                     (long long)sqlite3_column_int64(row, 1),
                     (long long)sqlite3_column_int64(row, 2));
}

int last_ids_check(struct db *db, struct error *err)
{
    static const char sql[] =
        "WITH greatest(name,id) AS (SELECT 'job',max(id) FROM job"
        " UNION ALL SELECT 'schedule',max(id) FROM schedule"
        " UNION ALL SELECT 'value_set',max(id) FROM value_set"
        " UNION ALL SELECT 'worker',max(id) FROM worker)"
        " SELECT greatest.name, coalesce(seq,0), max(coalesce(id,0),coalesce(value,0))"
        " FROM greatest LEFT JOIN sqlite_sequence ON sqlite_sequence.name=greatest.name"
        " LEFT JOIN number ON number.name='last ' || greatest.name";
    return db_each(db, db_statement(db, sql, err), compare, NULL, err);
}
