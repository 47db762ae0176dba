#include "daemon/store/array_rows.h"

#include "daemon/store/status_columns.h"

#define COLUMNS "job,fails_kind,fails_most,value_set,sum"
#define NUMBERS 4

static void numbers_of(const struct array_options *options, int64_t ret[NUMBERS])
{
    ret[0] = (int64_t)options->job;
    ret[1] = options->max_fails.kind;
    ret[2] = options->max_fails.most;
    ret[3] = (int64_t)options->value_set;
}

static uint32_t sum_of(const struct array_options *options)
{
    int64_t numbers[NUMBERS];
    numbers_of(options, numbers);
    return sum_numbers(0, numbers, NUMBERS);
}

int array_rows_insert(struct db *db, const struct array_options *options, struct error *err)
{
    static const char sql[] = "INSERT INTO array_option(" COLUMNS ") VALUES(?1,?2,?3,?4,?5)";
    int64_t numbers[NUMBERS];
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    numbers_of(options, numbers);
    bind_numbers(statement, 1, numbers, NUMBERS);
    (void)sqlite3_bind_int64(statement, NUMBERS + 1, sum_of(options));
    return db_run(db, statement, err);
}

static int read_row(void *arg, sqlite3_stmt *statement, struct error *err)
{
    struct array_options *ret = arg;
    int64_t kind = sqlite3_column_int64(statement, 1);
    *ret = (struct array_options){
        .job = (uint64_t)sqlite3_column_int64(statement, 0),
        .max_fails = {(enum fails_kind)kind, (uint32_t)sqlite3_column_int64(statement, 2)},
        .value_set = (uint64_t)sqlite3_column_int64(statement, 3)};
    if (kind >= FAILS_ANY && kind <= FAILS_PERCENT &&
        sum_of(ret) == sqlite3_column_int64(statement, NUMBERS))
        return 0;
    return error_set(err, ERROR_DAMAGED, "the row of options of array %llu fails its checksum",
                     (unsigned long long)ret->job);
}

int array_rows_load(struct db *db, uint64_t job, struct array_options *ret, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM array_option WHERE job=?1";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    *ret = (struct array_options){.job = job};
    (void)sqlite3_bind_int64(statement, 1, (int64_t)job);
    return db_each(db, statement, read_row, ret, err);
}

int array_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM array_option";
    struct array_options options;
    return db_each(db, db_statement(db, sql, err), read_row, &options, err);
}
