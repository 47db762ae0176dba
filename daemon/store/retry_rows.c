#include "daemon/store/retry_rows.h"

#include "daemon/store/status_columns.h"

static uint32_t sum_of(uint64_t job, uint64_t retry_of)
{
    return sum_number(sum_number(0, (int64_t)job), (int64_t)retry_of);
}

int retry_rows_insert(struct db *db, uint64_t job, uint64_t retry_of, struct error *err)
{
    static const char sql[] = "INSERT INTO retry(job,retry_of,sum) VALUES(?1,?2,?3)";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t numbers[] = {(int64_t)job, (int64_t)retry_of, sum_of(job, retry_of)};
    bind_numbers(statement, 1, numbers, 3);
    return db_run(db, statement, err);
}

static int read_row(void *arg, sqlite3_stmt *statement, struct error *err)
{
    uint64_t *ret = arg;
    uint64_t job = (uint64_t)sqlite3_column_int64(statement, 0);
    *ret = (uint64_t)sqlite3_column_int64(statement, 1);
    if (sum_of(job, *ret) == sqlite3_column_int64(statement, 2))
        return 0;
    return error_set(err, ERROR_DAMAGED, "the row of the retry %llu fails its checksum",
                     (unsigned long long)job);
}

int retry_rows_load(struct db *db, uint64_t job, uint64_t *ret, struct error *err)
{
    static const char sql[] = "SELECT job,retry_of,sum FROM retry WHERE job=?1";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    *ret = 0;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)job);
    return db_each(db, statement, read_row, ret, err);
}

int retry_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT job,retry_of,sum FROM retry";
    uint64_t retry_of;
    return db_each(db, db_statement(db, sql, err), read_row, &retry_of, err);
}
