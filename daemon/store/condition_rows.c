#include "daemon/store/condition_rows.h"

#include "daemon/store/status_columns.h"

#define COLUMNS "job,hold,held,begin_at,released_at,deadline_at,sum"
#define NUMBERS 6

static void numbers_of(const struct condition *condition, int64_t ret[NUMBERS])
{
    ret[0] = (int64_t)condition->job;
    ret[1] = condition->hold;
    ret[2] = condition->held;
    ret[3] = condition->begin_at;
    ret[4] = condition->released_at;
    ret[5] = condition->deadline_at;
}

static uint32_t sum_of(const struct condition *condition)
{
    int64_t numbers[NUMBERS];
    numbers_of(condition, numbers);
    /* Without a deadline the sum is that of schema 3. */
    return sum_numbers(0, numbers, condition->deadline_at == 0 ? NUMBERS - 1 : NUMBERS);
}

int condition_rows_put(struct db *db, const struct condition *condition, struct error *err)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO condition(" COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7)";
    int64_t numbers[NUMBERS];
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    numbers_of(condition, numbers);
    bind_numbers(statement, 1, numbers, NUMBERS);
    (void)sqlite3_bind_int64(statement, NUMBERS + 1, sum_of(condition));
    return db_run(db, statement, err);
}

static int read_row(void *arg, sqlite3_stmt *statement, struct error *err)
{
    struct condition *ret = arg;
    *ret = (struct condition){.job = (uint64_t)sqlite3_column_int64(statement, 0),
                              .hold = sqlite3_column_int64(statement, 1) != 0,
                              .held = sqlite3_column_int64(statement, 2) != 0,
                              .begin_at = sqlite3_column_int64(statement, 3),
                              .released_at = sqlite3_column_int64(statement, 4),
                              .deadline_at = sqlite3_column_int64(statement, 5)};
    if (sum_of(ret) == sqlite3_column_int64(statement, NUMBERS))
        return 0;
    return error_set(err, ERROR_DAMAGED, "the row of conditions of job %llu fails its checksum",
                     (unsigned long long)ret->job);
}

int condition_rows_load(struct db *db, uint64_t job, struct condition *ret, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM condition WHERE job=?1";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    *ret = (struct condition){.job = job};
    (void)sqlite3_bind_int64(statement, 1, (int64_t)job);
    return db_each(db, statement, read_row, ret, err);
}

struct reading {
    condition_fn call;
    void *arg;
};

static int read_one(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    struct condition condition;
    if (read_row(&condition, statement, err) < 0)
        return -1;
    reading->call(reading->arg, &condition);
    return 0;
}

int condition_rows_each_open(struct db *db, condition_fn call, void *arg, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM condition WHERE job IN"
                              " (SELECT id FROM job INDEXED BY job_open WHERE state<4)";
    struct reading reading = {call, arg};
    return db_each(db, db_statement(db, sql, err), read_one, &reading, err);
}

int condition_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM condition";
    struct condition condition;
    return db_each(db, db_statement(db, sql, err), read_row, &condition, err);
}
