#include "daemon/store/job_rows.h"

#include "common/alloc.h"
#include "common/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_COLUMNS                                                                           \
    "id,state,attempt,charged,losses,cancelling,worker,started_at,ended_at,class,exit_code,"     \
    "signal,message,user_us,system_us,run_us,max_rss_bytes,stdout_bytes,stderr_bytes,cut_bytes," \
    "lost_bytes,result,status_sum"
#define FACTS_COLUMNS                                                                           \
    "uid,gid,priority,cpus,memory_bytes,max_attempts,rerun_if_lost,submitted_at,name,type,key," \
    "tags,run,facts_sum"
#define STATUS_WIDTH 23 /* columns before the first of FACTS_COLUMNS */

void job_row_done(struct job_row *row)
{
    job_facts_done(&row->facts);
    job_status_done(&row->status);
}

/* ---- checksums: over fixed-width little-endian numbers and length-prefixed texts ---- */

static uint32_t sum_number(uint32_t sum, int64_t value)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)value >> (8 * i));
    return crc32c(sum, bytes, sizeof(bytes));
}

static uint32_t sum_text(uint32_t sum, const char *text)
{
    if (text == NULL)
        return sum_number(sum, -1);
    size_t bytes = strlen(text);
    return crc32c(sum_number(sum, (int64_t)bytes), text, bytes);
}

static uint32_t sum_facts(const struct job_facts *facts)
{
    const int64_t numbers[] = {facts->uid,
                               facts->gid,
                               facts->priority,
                               facts->cpus,
                               (int64_t)facts->memory_bytes,
                               facts->max_attempts,
                               facts->rerun_if_lost,
                               facts->submitted_at};
    uint32_t sum = 0;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sum = sum_number(sum, numbers[i]);
    sum = sum_text(sum, facts->name);
    sum = sum_text(sum, facts->type);
    sum = sum_text(sum, facts->key);
    sum = sum_text(sum, facts->tags);
    return crc32c(sum_number(sum, (int64_t)facts->run_bytes), facts->run, facts->run_bytes);
}

static uint32_t sum_status(const struct job_status *status)
{
    const struct outcome *outcome = &status->outcome;
    const struct usage *usage = &status->usage;
    const int64_t numbers[] = {(int64_t)status->id,
                               status->state,
                               status->attempt,
                               status->charged,
                               status->losses,
                               status->cancelling,
                               (int64_t)status->worker,
                               status->started_at,
                               status->ended_at,
                               outcome->class,
                               outcome->exit_code,
                               outcome->signal,
                               (int64_t)usage->user_us,
                               (int64_t)usage->system_us,
                               (int64_t)usage->run_us,
                               (int64_t)usage->max_rss_bytes,
                               (int64_t)usage->stdout_bytes,
                               (int64_t)usage->stderr_bytes,
                               (int64_t)usage->cut_bytes,
                               (int64_t)usage->lost_bytes};
    uint32_t sum = 0;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sum = sum_number(sum, numbers[i]);
    return sum_text(sum_text(sum, outcome->message), status->result);
}

/* ---- binding ---- */

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    (void)sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static void bind_numbers(sqlite3_stmt *statement, int at, const int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)sqlite3_bind_int64(statement, at + (int)i, numbers[i]);
}

static void bind_facts(sqlite3_stmt *statement, int at, const struct job_facts *facts)
{
    const int64_t numbers[] = {facts->uid,
                               facts->gid,
                               facts->priority,
                               facts->cpus,
                               (int64_t)facts->memory_bytes,
                               facts->max_attempts,
                               facts->rerun_if_lost,
                               facts->submitted_at};
    bind_numbers(statement, at, numbers, 8);
    bind_text(statement, at + 8, facts->name);
    bind_text(statement, at + 9, facts->type);
    bind_text(statement, at + 10, facts->key);
    bind_text(statement, at + 11, facts->tags);
    (void)sqlite3_bind_blob64(statement, at + 12, facts->run, facts->run_bytes, SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, at + 13, sum_facts(facts));
}

/* Parameter 1 is the id, 2.. the columns of STATUS_COLUMNS behind it. */
static void bind_status(sqlite3_stmt *statement, const struct job_status *status)
{
    const struct outcome *outcome = &status->outcome;
    const struct usage *usage = &status->usage;
    const int64_t head[] = {(int64_t)status->id,     status->state,      status->attempt,
                            status->charged,         status->losses,     status->cancelling,
                            (int64_t)status->worker, status->started_at, status->ended_at,
                            outcome->class,          outcome->exit_code, outcome->signal};
    const int64_t tail[] = {(int64_t)usage->user_us,      (int64_t)usage->system_us,
                            (int64_t)usage->run_us,       (int64_t)usage->max_rss_bytes,
                            (int64_t)usage->stdout_bytes, (int64_t)usage->stderr_bytes,
                            (int64_t)usage->cut_bytes,    (int64_t)usage->lost_bytes};
    bind_numbers(statement, 1, head, 12);
    bind_text(statement, 13, outcome->message);
    bind_numbers(statement, 14, tail, 8);
    bind_text(statement, 22, status->result);
    (void)sqlite3_bind_int64(statement, 23, sum_status(status));
}

/* ---- reading ---- */

static char *column_text(sqlite3_stmt *statement, int column)
{
    return xstrdup((const char *)sqlite3_column_text(statement, column));
}

static int read_status(sqlite3_stmt *statement, struct job_status *ret, struct error *err)
{
    const char *message = (const char *)sqlite3_column_text(statement, 12);
#define COLUMN(index) sqlite3_column_int64(statement, index)
    *ret = (struct job_status){.id = (uint64_t)COLUMN(0),
                               .state = (enum job_state)COLUMN(1),
                               .attempt = (uint32_t)COLUMN(2),
                               .charged = (uint32_t)COLUMN(3),
                               .losses = (uint32_t)COLUMN(4),
                               .cancelling = COLUMN(5) != 0,
                               .worker = (uint64_t)COLUMN(6),
                               .started_at = COLUMN(7),
                               .ended_at = COLUMN(8),
                               .outcome = {.class = (enum outcome_class)COLUMN(9),
                                           .exit_code = (int)COLUMN(10),
                                           .signal = (int)COLUMN(11)},
                               .usage = {.user_us = (uint64_t)COLUMN(13),
                                         .system_us = (uint64_t)COLUMN(14),
                                         .run_us = (uint64_t)COLUMN(15),
                                         .max_rss_bytes = (uint64_t)COLUMN(16),
                                         .stdout_bytes = (uint64_t)COLUMN(17),
                                         .stderr_bytes = (uint64_t)COLUMN(18),
                                         .cut_bytes = (uint64_t)COLUMN(19),
                                         .lost_bytes = (uint64_t)COLUMN(20)},
                               .result = column_text(statement, 21)};
    (void)snprintf(ret->outcome.message, sizeof(ret->outcome.message), "%s",
                   message == NULL ? "" : message);
    if (sum_status(ret) == (uint32_t)COLUMN(22) && ret->state < JOB_STATE_COUNT)
        return 0;
    job_status_done(ret);
    return error_set(err, ERROR_DAMAGED, "the row of job %llu fails its checksum",
                     (unsigned long long)ret->id);
}

static int read_facts(sqlite3_stmt *statement, int at, struct job_facts *ret, struct error *err)
{
    const void *run = sqlite3_column_blob(statement, at + 12);
    size_t run_bytes = (size_t)sqlite3_column_bytes(statement, at + 12);
    *ret = (struct job_facts){.id = (uint64_t)COLUMN(0),
                              .uid = (uint32_t)COLUMN(at),
                              .gid = (uint32_t)COLUMN(at + 1),
                              .priority = (enum job_priority)COLUMN(at + 2),
                              .cpus = (uint32_t)COLUMN(at + 3),
                              .memory_bytes = (uint64_t)COLUMN(at + 4),
                              .max_attempts = (uint32_t)COLUMN(at + 5),
                              .rerun_if_lost = COLUMN(at + 6) != 0,
                              .submitted_at = COLUMN(at + 7),
                              .name = column_text(statement, at + 8),
                              .type = column_text(statement, at + 9),
                              .key = column_text(statement, at + 10),
                              .tags = column_text(statement, at + 11),
                              .run = xmemdup(run, run_bytes),
                              .run_bytes = run_bytes};
    uint32_t stored = (uint32_t)COLUMN(at + 13);
#undef COLUMN
    if (ret->name != NULL && sum_facts(ret) == stored && ret->priority < JOB_PRIORITY_COUNT)
        return 0;
    uint64_t id = ret->id;
    job_facts_done(ret);
    return error_set(err, ERROR_DAMAGED, "the row of job %llu fails its checksum",
                     (unsigned long long)id);
}

static int read_row(sqlite3_stmt *statement, struct job_row *ret, struct error *err)
{
    if (read_status(statement, &ret->status, err) < 0)
        return -1;
    if (read_facts(statement, STATUS_WIDTH, &ret->facts, err) < 0) {
        job_status_done(&ret->status);
        return -1;
    }
    return 0;
}

/* ---- statements ---- */

/* The row's id is known only after the insert, and the status checksum covers it: AUTOINCREMENT's
 * next id is asked for first. One writer, so nobody takes it in between. */
static int next_id(struct db *db, uint64_t *ret, struct error *err)
{
    static const char sql[] = "SELECT seq FROM sqlite_sequence WHERE name='job'";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    int code = db_step(db, statement, err);
    if (code < 0)
        return -1;
    *ret = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) + 1 : 1;
    (void)sqlite3_reset(statement);
    return 0;
}

int job_rows_insert(struct db *db, struct job_facts *facts, struct error *err)
{
    static const char sql[] =
        "INSERT INTO job(" STATUS_COLUMNS "," FACTS_COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,"
        "?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30,?31,"
        "?32,?33,?34,?35,?36,?37)";
    struct job_status status = {.outcome.exit_code = -1};
    if (db_begin(db, err) < 0 || next_id(db, &status.id, err) < 0)
        return -1;
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    facts->id = status.id;
    bind_status(statement, &status);
    bind_facts(statement, STATUS_WIDTH + 1, facts);
    return db_run(db, statement, err);
}

int job_rows_update(struct db *db, const struct job_status *status, struct error *err)
{
    static const char sql[] =
        "UPDATE job SET state=?2,attempt=?3,charged=?4,losses=?5,cancelling=?6,worker=?7,"
        "started_at=?8,ended_at=?9,class=?10,exit_code=?11,signal=?12,message=?13,user_us=?14,"
        "system_us=?15,run_us=?16,max_rss_bytes=?17,stdout_bytes=?18,stderr_bytes=?19,"
        "cut_bytes=?20,lost_bytes=?21,result=?22,status_sum=?23 WHERE id=?1";
    if (db_begin(db, err) < 0)
        return -1;
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_status(statement, status);
    if (db_run(db, statement, err) < 0)
        return -1;
    if (sqlite3_changes(sqlite3_db_handle(statement)) != 1)
        return error_set(err, ERROR_INTERNAL, "job %llu is not in the store",
                         (unsigned long long)status->id);
    return 0;
}

int job_rows_load(struct db *db, uint64_t id, struct job_row *ret, struct error *err)
{
    static const char sql[] = "SELECT " STATUS_COLUMNS "," FACTS_COLUMNS " FROM job WHERE id=?1";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)id);
    int code = db_step(db, statement, err);
    if (code < 0)
        return -1;
    if (code != SQLITE_ROW)
        return error_set(err, ERROR_NOT_FOUND, "no job %llu", (unsigned long long)id);
    int result = read_row(statement, ret, err);
    (void)sqlite3_reset(statement);
    return result;
}

int job_rows_find_key(struct db *db, uint32_t uid, const char *key, uint64_t *ret,
                      struct error *err)
{
    static const char sql[] = "SELECT id FROM job WHERE uid=?1 AND key=?2";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, uid);
    bind_text(statement, 2, key);
    int code = db_step(db, statement, err);
    if (code < 0)
        return -1;
    *ret = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_reset(statement);
    return 0;
}

int job_rows_keep_attempt(struct db *db, const struct job_status *status, struct error *err)
{
    static const char sql[] =
        "INSERT INTO attempt(job,attempt,worker,started_at,ended_at,class,exit_code,signal,message)"
        " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)";
    if (db_begin(db, err) < 0)
        return -1;
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t numbers[] = {(int64_t)status->id,       status->attempt,
                               (int64_t)status->worker,   status->started_at,
                               status->ended_at,          status->outcome.class,
                               status->outcome.exit_code, status->outcome.signal};
    bind_numbers(statement, 1, numbers, 8);
    bind_text(statement, 9, status->outcome.message);
    return db_run(db, statement, err);
}

int job_rows_each_attempt(struct db *db, uint64_t id, attempt_row_fn each, void *arg,
                          struct error *err)
{
    static const char sql[] = "SELECT attempt,worker,started_at,ended_at,class,exit_code,signal,"
                              "message FROM attempt WHERE job=?1 ORDER BY attempt";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)id);
    int code;
    while ((code = db_step(db, statement, err)) == SQLITE_ROW) {
        const char *message = (const char *)sqlite3_column_text(statement, 7);
        struct job_status attempt = {
            .id = id,
            .attempt = (uint32_t)sqlite3_column_int64(statement, 0),
            .worker = (uint64_t)sqlite3_column_int64(statement, 1),
            .started_at = sqlite3_column_int64(statement, 2),
            .ended_at = sqlite3_column_int64(statement, 3),
            .outcome = {.class = (enum outcome_class)sqlite3_column_int(statement, 4),
                        .exit_code = sqlite3_column_int(statement, 5),
                        .signal = sqlite3_column_int(statement, 6)}};
        (void)snprintf(attempt.outcome.message, sizeof(attempt.outcome.message), "%s",
                       message == NULL ? "" : message);
        if (each(arg, &attempt) != 0)
            break;
    }
    (void)sqlite3_reset(statement);
    return code < 0 ? -1 : 0;
}

/* A bound of 0 means "none"; the two texts differ in the direction only. */
#define LIST_WHERE                                                               \
    " FROM job WHERE (?1=0 OR id>=?1) AND (?2=0 OR id<=?2) AND (?3=0 OR uid=?4)" \
    " AND (?5 IS NULL OR name GLOB ?5) AND (?6=0 OR submitted_at>=?6)"           \
    " AND (?7=0 OR submitted_at<=?7) AND (state<4 OR ended_at>=?8) AND ((1<<state)&?9)"

int job_rows_list(struct db *db, const struct job_filter *filter, job_row_fn each, void *arg,
                  struct error *err)
{
    static const char oldest[] =
        "SELECT " STATUS_COLUMNS "," FACTS_COLUMNS LIST_WHERE " AND id>?10 ORDER BY id";
    static const char newest[] = "SELECT " STATUS_COLUMNS "," FACTS_COLUMNS LIST_WHERE
                                 " AND (?10=0 OR id<?10) ORDER BY id DESC";
    int64_t states = 0;
    for (unsigned i = 0; i < JOB_STATE_COUNT; i++)
        states |= !filter->states_set || filter->states[i] ? INT64_C(1) << i : 0;
    sqlite3_stmt *statement = db_statement(db, filter->newest_first ? newest : oldest, err);
    if (statement == NULL)
        return -1;
    const int64_t head[] = {(int64_t)filter->first, (int64_t)filter->last, filter->uid_set,
                            filter->uid};
    const int64_t tail[] = {filter->since, filter->until, filter->ended_after, states,
                            (int64_t)filter->after};
    bind_numbers(statement, 1, head, 4);
    bind_text(statement, 5, filter->name_glob);
    bind_numbers(statement, 6, tail, 5);
    int code;
    int stop = 0;
    while (stop == 0 && (code = db_step(db, statement, err)) == SQLITE_ROW) {
        struct job_row row;
        if (read_row(statement, &row, err) < 0) {
            (void)sqlite3_reset(statement);
            return -1;
        }
        stop = each(arg, &row);
        job_row_done(&row);
    }
    (void)sqlite3_reset(statement);
    return stop == 0 && code < 0 ? -1 : 0;
}

int job_rows_each_open(struct db *db, job_open_fn each, void *arg, struct error *err)
{
    static const char sql[] = "SELECT " STATUS_COLUMNS ",uid,priority,submitted_at FROM job "
                              "INDEXED BY job_open WHERE state<4 ORDER BY id";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    int code;
    while ((code = db_step(db, statement, err)) == SQLITE_ROW) {
        struct job_status status;
        if (read_status(statement, &status, err) < 0)
            break;
        struct job job = {.id = status.id,
                          .uid = (uint32_t)sqlite3_column_int64(statement, STATUS_WIDTH),
                          .submitted_at = sqlite3_column_int64(statement, STATUS_WIDTH + 2),
                          .attempt = status.attempt,
                          .charged = (uint16_t)status.charged,
                          .losses = (uint8_t)status.losses};
        int priority = sqlite3_column_int(statement, STATUS_WIDTH + 1);
        int stop = each(arg, &job, (enum job_priority)priority, &status);
        job_status_done(&status);
        if (stop != 0)
            break;
    }
    (void)sqlite3_reset(statement);
    return code == SQLITE_DONE ? 0 : -1;
}

int job_rows_count(struct db *db, uint64_t counts[JOB_STATE_COUNT], struct error *err)
{
    static const char sql[] = "SELECT state, count(*) FROM job WHERE state>=4 GROUP BY state";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    int code;
    while ((code = db_step(db, statement, err)) == SQLITE_ROW) {
        int state = sqlite3_column_int(statement, 0);
        if (state >= 0 && state < JOB_STATE_COUNT)
            counts[state] = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    return code < 0 ? -1 : 0;
}
