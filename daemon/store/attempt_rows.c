#include "daemon/store/attempt_rows.h"

#include "daemon/store/status_columns.h"

#include <stdio.h>

/* The column task_index: -1 for a plain job. */
static int64_t task_of(const struct job_status *status)
{
    return status->is_task ? (int64_t)status->index : -1;
}

int attempt_rows_keep(struct db *db, const struct job_status *status, struct error *err)
{
    static const char sql[] =
        "INSERT INTO attempt(job,task_index,attempt,worker,started_at,ended_at,class,exit_code,"
        "signal,message) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t numbers[] = {
        (int64_t)status->id,     task_of(status),           status->attempt,
        (int64_t)status->worker, status->started_at,        status->ended_at,
        status->outcome.class,   status->outcome.exit_code, status->outcome.signal};
    bind_numbers(statement, 1, numbers, 9);
    bind_text(statement, 10, status->outcome.message);
    return db_run(db, statement, err);
}

struct reading {
    const struct job_status *of;
    attempt_row_fn each;
    void *arg;
};

static int read_row(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    const char *message = (const char *)sqlite3_column_text(statement, 7);
    (void)err;
    struct job_status attempt = {
        .id = reading->of->id,
        .is_task = reading->of->is_task,
        .index = reading->of->index,
        .attempt = (uint32_t)sqlite3_column_int64(statement, 0),
        .worker = (uint64_t)sqlite3_column_int64(statement, 1),
        .started_at = sqlite3_column_int64(statement, 2),
        .ended_at = sqlite3_column_int64(statement, 3),
        .outcome = {.class = (enum outcome_class)sqlite3_column_int(statement, 4),
                    .exit_code = sqlite3_column_int(statement, 5),
                    .signal = sqlite3_column_int(statement, 6)}};
    (void)snprintf(attempt.outcome.message, sizeof(attempt.outcome.message), "%s",
                   message == NULL ? "" : message);
    return reading->each(reading->arg, &attempt) != 0;
}

int attempt_rows_each(struct db *db, const struct job_status *of, attempt_row_fn each, void *arg,
                      struct error *err)
{
    static const char sql[] = "SELECT attempt,worker,started_at,ended_at,class,exit_code,signal,"
                              "message FROM attempt WHERE job=?1 AND task_index=?2 "
                              "ORDER BY attempt";
    struct reading reading = {of, each, arg};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t numbers[] = {(int64_t)of->id, task_of(of)};
    bind_numbers(statement, 1, numbers, 2);
    return db_each(db, statement, read_row, &reading, err);
}
