#include "daemon/store/attempt_rows.h"

#include "daemon/store/status_columns.h"

#include <assert.h>
#include <stdio.h>

#define COLUMNS                                                                                   \
    "job,task_index,attempt,worker,started_at,ended_at,class,exit_code,signal,kind,memory_bytes," \
    "retry_us," USAGE_COLUMNS ",message,sum"
#define OWN_NUMBERS 12
#define NUMBERS (OWN_NUMBERS + USAGE_WIDTH)

static_assert(OUTCOME_LOST == 7, "classes in the store");

/* The column task_index: -1 for a plain job. */
static int64_t task_of(const struct job_status *status)
{
    return status->is_task ? (int64_t)status->index : -1;
}

/* In the order of their columns, which is also that of the sum. */
static void numbers_of(const struct attempt_row *row, int64_t ret[NUMBERS])
{
    const struct job_status *status = &row->status;
    const int64_t numbers[OWN_NUMBERS] = {(int64_t)status->id,
                                          task_of(status),
                                          status->attempt,
                                          (int64_t)status->worker,
                                          status->started_at,
                                          status->ended_at,
                                          status->outcome.class,
                                          status->outcome.exit_code,
                                          status->outcome.signal,
                                          row->kind,
                                          (int64_t)row->memory_bytes,
                                          status->retry_us};
    for (unsigned i = 0; i < OWN_NUMBERS; i++)
        ret[i] = numbers[i];
    usage_numbers(&status->usage, ret + OWN_NUMBERS);
}

static uint32_t sum_of(const struct attempt_row *row)
{
    int64_t numbers[NUMBERS];
    numbers_of(row, numbers);
    return sum_text(sum_numbers(0, numbers, NUMBERS), row->status.outcome.message);
}

int attempt_rows_keep(struct db *db, const struct attempt_row *row, struct error *err)
{
    static const char sql[] = "INSERT INTO attempt(" COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,"
                              "?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22)";
    int64_t numbers[NUMBERS];
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    numbers_of(row, numbers);
    bind_numbers(statement, 1, numbers, NUMBERS);
    bind_text(statement, NUMBERS + 1, row->status.outcome.message);
    (void)sqlite3_bind_int64(statement, NUMBERS + 2, sum_of(row));
    return db_run(db, statement, err);
}

struct reading {
    attempt_row_fn each; /* may be NULL */
    void *arg;
};

static int read_row(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    const char *message = (const char *)sqlite3_column_text(statement, NUMBERS);
#define COLUMN(number) sqlite3_column_int64(statement, number)
    struct attempt_row row = {.status = {.id = (uint64_t)COLUMN(0),
                                         .is_task = COLUMN(1) >= 0,
                                         .index = COLUMN(1) >= 0 ? (uint64_t)COLUMN(1) : 0,
                                         .attempt = (uint32_t)COLUMN(2),
                                         .worker = (uint64_t)COLUMN(3),
                                         .started_at = COLUMN(4),
                                         .ended_at = COLUMN(5),
                                         .outcome = {.class = (enum outcome_class)COLUMN(6),
                                                     .exit_code = (int)COLUMN(7),
                                                     .signal = (int)COLUMN(8)},
                                         .retry_us = COLUMN(11),
                                         .usage = usage_read(statement, OWN_NUMBERS)},
                              .kind = (enum attempt_kind)COLUMN(9),
                              .memory_bytes = (uint64_t)COLUMN(10)};
    (void)snprintf(row.status.outcome.message, sizeof(row.status.outcome.message), "%s",
                   message == NULL ? "" : message);
    if (sum_of(&row) != COLUMN(NUMBERS + 1))
        return error_set(err, ERROR_DAMAGED, "the row of attempt %u of job %llu fails its checksum",
                         row.status.attempt, (unsigned long long)row.status.id);
#undef COLUMN
    return reading->each != NULL && reading->each(reading->arg, &row) != 0;
}

static sqlite3_stmt *select_of(struct db *db, const char *sql, const struct job_status *of,
                               struct error *err)
{
    const int64_t numbers[] = {(int64_t)of->id, task_of(of)};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement != NULL)
        bind_numbers(statement, 1, numbers, 2);
    return statement;
}

int attempt_rows_each(struct db *db, const struct job_status *of, attempt_row_fn each, void *arg,
                      struct error *err)
{
    static const char sql[] =
        "SELECT " COLUMNS " FROM attempt WHERE job=?1 AND task_index=?2 ORDER BY attempt";
    struct reading reading = {each, arg};
    return db_each(db, select_of(db, sql, of, err), read_row, &reading, err);
}

static int keep_row(void *arg, const struct attempt_row *row)
{
    *(struct attempt_row *)arg = *row;
    return 1;
}

int attempt_rows_last(struct db *db, const struct job_status *of, struct attempt_row *ret,
                      struct error *err)
{
    static const char sql[] =
        "SELECT " COLUMNS " FROM attempt WHERE job=?1 AND task_index=?2 ORDER BY attempt DESC";
    struct reading reading = {keep_row, ret};
    ret->kind = ATTEMPT_UNKNOWN;
    return db_each(db, select_of(db, sql, of, err), read_row, &reading, err);
}

static int read_count(void *arg, sqlite3_stmt *statement, struct error *err)
{
    (void)err;
    *(uint32_t *)arg = (uint32_t)sqlite3_column_int64(statement, 0);
    return 1;
}

int attempt_rows_losses(struct db *db, const struct job_status *of, int64_t since, uint32_t *ret,
                        struct error *err)
{
    static const char sql[] = "SELECT count(*) FROM attempt WHERE job=?1 AND task_index=?2"
                              " AND ended_at>=?3 AND class=7 AND kind IN (0,3)";
    sqlite3_stmt *statement = select_of(db, sql, of, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 3, since);
    return db_each(db, statement, read_count, ret, err);
}

int attempt_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM attempt";
    struct reading reading = {NULL, NULL};
    return db_each(db, db_statement(db, sql, err), read_row, &reading, err);
}
