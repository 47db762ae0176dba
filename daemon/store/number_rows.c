#include "daemon/store/number_rows.h"

#include "daemon/store/status_columns.h"

static uint32_t sum_of(const char *name, int64_t value)
{
    return sum_number(sum_text(0, name), value);
}

/* Of a row of name, value and sum. `arg`: where the value goes, or NULL. */
static int read_row(void *arg, sqlite3_stmt *row, struct error *err)
{
    const char *name = (const char *)sqlite3_column_text(row, 0);
    int64_t value = sqlite3_column_int64(row, 1);
    if (sum_of(name, value) != sqlite3_column_int64(row, 2))
        return error_set(err, ERROR_DAMAGED, "the number \"%.40s\" fails its checksum",
                         name == NULL ? "" : name);
    if (arg != NULL)
        *(int64_t *)arg = value;
    return 0;
}

int number_rows_get(struct db *db, const char *name, int64_t *ret, struct error *err)
{
    static const char sql[] = "SELECT name,value,sum FROM number WHERE name=?1";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_text(statement, 1, name);
    *ret = 0;
    return db_each(db, statement, read_row, ret, err);
}

int number_rows_set(struct db *db, const char *name, int64_t value, struct error *err)
{
    static const char sql[] = "INSERT OR REPLACE INTO number(name,value,sum) VALUES(?1,?2,?3)";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t numbers[] = {value, sum_of(name, value)};
    bind_text(statement, 1, name);
    bind_numbers(statement, 2, numbers, 2);
    return db_run(db, statement, err);
}

int number_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT name,value,sum FROM number";
    return db_each(db, db_statement(db, sql, err), read_row, NULL, err);
}
