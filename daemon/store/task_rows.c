#include "daemon/store/task_rows.h"

#include "daemon/store/status_columns.h"

#include <assert.h>

#define STATUS_AT 3

/* The texts below say 0, 4 and 5 for states, as the indexes do. */
static_assert(JOB_STATE_PENDING == 0 && JOB_STATE_COMPLETED == 4 && JOB_STATE_FAILED == 5,
              "states in the store");

#define TASK_COLUMNS "job,task_index,memory_bytes," STATUS_COLUMNS

int task_rows_put(struct db *db, const struct job_status *status, struct error *err)
{
    static const char sql[] =
        "INSERT INTO task(" TASK_COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,"
        "?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30,?31)"
        " ON CONFLICT(job,task_index) DO UPDATE SET "
        "memory_bytes=?3,state=?4,attempt=?5,charged=?6,losses=?7,cancelling=?8,worker=?9,"
        "started_at=?10,ended_at=?11,class=?12,exit_code=?13,signal=?14,message=?15,user_us=?16,"
        "system_us=?17,run_us=?18,max_rss_bytes=?19,stdout_bytes=?20,stderr_bytes=?21,"
        "cut_bytes=?22,lost_bytes=?23,result=?24,predicted_us=?25,predicted_by=?26,gpu_set=?27,"
        "retry_at=?28,retry_us=?29,cpu_list=?30,status_sum=?31";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t own[] = {(int64_t)status->id, (int64_t)status->index,
                           (int64_t)status->memory_bytes};
    bind_numbers(statement, 1, own, STATUS_AT);
    status_bind(statement, STATUS_AT + 1, status);
    return db_run(db, statement, err);
}

static int read_task(sqlite3_stmt *statement, struct job_status *ret, struct error *err)
{
    *ret = (struct job_status){.id = (uint64_t)sqlite3_column_int64(statement, 0),
                               .is_task = true,
                               .index = (uint64_t)sqlite3_column_int64(statement, 1),
                               .memory_bytes = (uint64_t)sqlite3_column_int64(statement, 2)};
    return status_read(statement, STATUS_AT, ret, err);
}

/* 1 and *ret, 0: no row, -1: error. The parameters are bound. */
static int read_one(struct db *db, sqlite3_stmt *statement, struct job_status *ret,
                    struct error *err)
{
    int code = db_step(db, statement, err);
    if (code != SQLITE_ROW)
        return code < 0 ? -1 : 0;
    int result = read_task(statement, ret, err);
    (void)sqlite3_reset(statement);
    return result < 0 ? -1 : 1;
}

int task_rows_load(struct db *db, uint64_t job, uint64_t index, struct job_status *ret,
                   struct error *err)
{
    static const char sql[] = "SELECT " TASK_COLUMNS " FROM task WHERE job=?1 AND task_index=?2";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t names[] = {(int64_t)job, (int64_t)index};
    bind_numbers(statement, 1, names, 2);
    int found = read_one(db, statement, ret, err);
    if (found == 0)
        return error_set(err, ERROR_NOT_FOUND, "task %llu_%llu has not been started",
                         (unsigned long long)job, (unsigned long long)index);
    return found < 0 ? -1 : 0;
}

int task_rows_first_failed(struct db *db, uint64_t job, struct job_status *ret, struct error *err)
{
    static const char sql[] = "SELECT " TASK_COLUMNS " FROM task INDEXED BY task_failed "
                              "WHERE job=?1 AND state=5 "
                              "ORDER BY task_index LIMIT 1";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)job);
    return read_one(db, statement, ret, err);
}

struct reading {
    task_row_fn each; /* may be NULL */
    void *arg;
};

static int read_row(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    struct job_status status;
    if (read_task(statement, &status, err) < 0)
        return -1;
    int stop = reading->each == NULL ? 0 : reading->each(reading->arg, &status);
    job_status_done(&status);
    return stop != 0;
}

int task_rows_each_open(struct db *db, task_row_fn each, void *arg, struct error *err)
{
    static const char sql[] =
        "SELECT " TASK_COLUMNS " FROM task INDEXED BY task_open WHERE state<4 "
        "ORDER BY job,task_index";
    struct reading reading = {each, arg};
    return db_each(db, db_statement(db, sql, err), read_row, &reading, err);
}

/* A damaged row is found when the task is to start. */
static int read_waiting(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    const struct job_status status = {.id = (uint64_t)sqlite3_column_int64(statement, 0),
                                      .is_task = true,
                                      .index = (uint64_t)sqlite3_column_int64(statement, 1),
                                      .retry_at = sqlite3_column_int64(statement, 2),
                                      .retry_us = sqlite3_column_int64(statement, 3),
                                      .memory_bytes = (uint64_t)sqlite3_column_int64(statement, 4)};
    (void)err;
    return reading->each(reading->arg, &status) != 0;
}

int task_rows_each_waiting(struct db *db, uint64_t job, task_row_fn each, void *arg,
                           struct error *err)
{
    static const char sql[] =
        "SELECT job,task_index,retry_at,retry_us,memory_bytes FROM task INDEXED BY task_open "
        "WHERE job=?1 AND state=0 AND state<4 ORDER BY task_index";
    struct reading reading = {each, arg};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)job);
    return db_each(db, statement, read_waiting, &reading, err);
}

struct reading_indices {
    task_index_fn each;
    void *arg;
};

static int read_index(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading_indices *reading = arg;
    (void)err;
    reading->each(reading->arg, (uint64_t)sqlite3_column_int64(statement, 0));
    return 0;
}

static int each_of_span(struct db *db, const char *sql, const struct task_span *span,
                        struct reading_indices *reading, struct error *err)
{
    const int64_t names[] = {(int64_t)span->job, (int64_t)span->first, (int64_t)span->last,
                             span->state};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_numbers(statement, 1, names, (size_t)sqlite3_bind_parameter_count(statement));
    return db_each(db, statement, read_index, reading, err);
}

static void take_count(void *arg, uint64_t count)
{
    *(uint64_t *)arg = count;
}

int task_rows_count(struct db *db, const struct task_span *span, uint64_t *ret, struct error *err)
{
    static const char sql[] = "SELECT count(*) FROM task"
                              " WHERE job=?1 AND task_index BETWEEN ?2 AND ?3 AND +state=?4";
    struct reading_indices reading = {take_count, ret};
    *ret = 0;
    return each_of_span(db, sql, span, &reading, err);
}

int task_rows_each_index(struct db *db, const struct task_span *span, task_index_fn each, void *arg,
                         struct error *err)
{
    static const char sql[] = "SELECT task_index FROM task WHERE job=?1"
                              " AND task_index BETWEEN ?2 AND ?3 AND +state=?4 ORDER BY task_index";
    struct reading_indices reading = {each, arg};
    return each_of_span(db, sql, span, &reading, err);
}

int task_rows_each_failed(struct db *db, const struct task_span *span, task_index_fn each,
                          void *arg, struct error *err)
{
    static const char sql[] =
        "SELECT task_index FROM task INDEXED BY task_failed"
        " WHERE job=?1 AND state=5 AND task_index BETWEEN ?2 AND ?3 ORDER BY task_index";
    struct reading_indices reading = {each, arg};
    return each_of_span(db, sql, span, &reading, err);
}

int task_rows_each_from(struct db *db, uint64_t job, uint64_t index, task_index_fn each, void *arg,
                        struct error *err)
{
    static const char sql[] =
        "SELECT task_index FROM task WHERE job=?1 AND task_index>=?2 ORDER BY task_index";
    struct reading_indices reading = {each, arg};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t names[] = {(int64_t)job, (int64_t)index};
    bind_numbers(statement, 1, names, 2);
    return db_each(db, statement, read_index, &reading, err);
}

struct reading_states {
    task_state_fn each;
    void *arg;
};

static int read_state(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading_states *reading = arg;
    (void)err;
    reading->each(reading->arg, (uint64_t)sqlite3_column_int64(statement, 0),
                  (enum job_state)sqlite3_column_int(statement, 1));
    return 0;
}

int task_rows_each_state(struct db *db, uint64_t job, uint64_t index, task_state_fn each, void *arg,
                         struct error *err)
{
    static const char sql[] = "SELECT task_index,state FROM task WHERE job=?1 AND task_index>=?2 "
                              "ORDER BY task_index LIMIT ?3";
    struct reading_states reading = {each, arg};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t names[] = {(int64_t)job, (int64_t)index, TASK_STATES_PAGE};
    bind_numbers(statement, 1, names, 3);
    return db_each(db, statement, read_state, &reading, err);
}

int task_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT " TASK_COLUMNS " FROM task";
    struct reading reading = {NULL, NULL};
    return db_each(db, db_statement(db, sql, err), read_row, &reading, err);
}
