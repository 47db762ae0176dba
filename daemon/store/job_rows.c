#include "daemon/store/job_rows.h"

#include "common/alloc.h"
#include "common/crc32c.h"
#include "daemon/store/status_columns.h"

#include <stdlib.h>
#include <string.h>

#define FACTS_COLUMNS                                                                           \
    "uid,gid,priority,cpus,memory_bytes,max_attempts,rerun_if_lost,submitted_at,name,type,key," \
    "tags,array,estimate_us,run,facts_sum,gpus,disk_bytes,counters,queue,"                      \
    "edited_at,digest,unique_key,retry,queue_sum,gpu_share,gpu_memory_bytes,bound"
/* A whole row: the id, the progress of an array, the status, the facts. */
#define PROGRESS_COLUMNS "id,next,tasks_completed,tasks_failed,tasks_cancelled,"
#define STATUS_AT 5
#define FACTS_AT (STATUS_AT + STATUS_WIDTH)
#define ROW_COLUMNS PROGRESS_COLUMNS STATUS_COLUMNS "," FACTS_COLUMNS

/* Some of its rows are gone already (removal_rows.h). */
#define IS_KEPT " NOT EXISTS (SELECT 1 FROM removal WHERE removal.job=job.id AND rows=1)"

void job_row_done(struct job_row *row)
{
    job_facts_done(&row->facts);
    job_status_done(&row->status);
}

#define FACT_NUMBERS 8

/* The numbers in the order of their columns, which is also that of the sum. */
static void fact_numbers(const struct job_facts *facts, int64_t ret[FACT_NUMBERS])
{
    const int64_t numbers[FACT_NUMBERS] = {facts->uid,
                                           facts->gid,
                                           facts->priority,
                                           facts->cpus,
                                           (int64_t)facts->memory_bytes,
                                           facts->retry.max_attempts,
                                           facts->retry.lost == RETRY_LOST_RERUN,
                                           facts->submitted_at};
    memcpy(ret, numbers, sizeof(numbers));
}

static uint32_t sum_facts(const struct job_facts *facts, const char *retry)
{
    int64_t numbers[FACT_NUMBERS];
    fact_numbers(facts, numbers);
    uint32_t sum = sum_numbers(0, numbers, FACT_NUMBERS);
    sum = sum_text(sum, facts->name);
    sum = sum_text(sum, facts->type);
    sum = sum_text(sum, facts->key);
    sum = sum_text(sum, facts->tags);
    if (facts->array != NULL) /* else the sum is that of schema 1, as below */
        sum = sum_text(sum, facts->array);
    if (facts->estimate_us > 0)
        sum = sum_number(sum, facts->estimate_us);
    if (facts->gpus > 0 || facts->disk_bytes > 0 || facts->counters != NULL) {
        sum = sum_number(sum, facts->gpus);
        sum = sum_text(sum_number(sum, (int64_t)facts->disk_bytes), facts->counters);
    }
    if (facts->gpu_share > 0 || facts->gpu_memory_bytes > 0)
        sum = sum_number(sum_number(sum, facts->gpu_share), (int64_t)facts->gpu_memory_bytes);
    if (facts->bound)
        sum = sum_number(sum, 1);
    if (facts->edited_at > 0)
        sum = sum_number(sum, facts->edited_at);
    if (facts->digest != NULL)
        sum = sum_text(sum, facts->digest);
    if (facts->unique != NULL)
        sum = sum_text(sum, facts->unique);
    if (retry != NULL)
        sum = sum_text(sum, retry);
    return crc32c(sum_number(sum, (int64_t)facts->run_bytes), facts->run, facts->run_bytes);
}

static void bind_facts(sqlite3_stmt *statement, int at, const struct job_facts *facts)
{
    char retry[RETRY_TEXT_MAX];
    int64_t numbers[FACT_NUMBERS];
    fact_numbers(facts, numbers);
    bind_numbers(statement, at, numbers, FACT_NUMBERS);
    bind_text(statement, at + 8, facts->name);
    bind_text(statement, at + 9, facts->type);
    bind_text(statement, at + 10, facts->key);
    bind_text(statement, at + 11, facts->tags);
    bind_text(statement, at + 12, facts->array);
    (void)sqlite3_bind_int64(statement, at + 13, facts->estimate_us);
    (void)sqlite3_bind_blob64(statement, at + 14, facts->run, facts->run_bytes, SQLITE_STATIC);
    retry_rule_format(&facts->retry, retry);
    const int64_t amounts[] = {sum_facts(facts, retry), facts->gpus, (int64_t)facts->disk_bytes};
    bind_numbers(statement, at + 15, amounts, 3);
    bind_text(statement, at + 18, facts->counters);
    bind_text(statement, at + 19, facts->queue);
    (void)sqlite3_bind_int64(statement, at + 20, facts->edited_at);
    bind_text(statement, at + 21, facts->digest);
    bind_text(statement, at + 22, facts->unique);
    (void)sqlite3_bind_text(statement, at + 23, retry, -1, SQLITE_TRANSIENT);
    const int64_t last[] = {sum_text(0, facts->queue), facts->gpu_share,
                            (int64_t)facts->gpu_memory_bytes, facts->bound};
    bind_numbers(statement, at + 24, last, 4);
}

/* ---- reading ---- */

static int read_status(sqlite3_stmt *statement, struct job_status *ret, struct error *err)
{
    *ret =
        (struct job_status){.id = (uint64_t)sqlite3_column_int64(statement, 0),
                            .tasks = {.next = (uint64_t)sqlite3_column_int64(statement, 1),
                                      .completed = (uint64_t)sqlite3_column_int64(statement, 2),
                                      .failed = (uint64_t)sqlite3_column_int64(statement, 3),
                                      .cancelled = (uint64_t)sqlite3_column_int64(statement, 4)}};
    return status_read(statement, STATUS_AT, ret, err);
}

/* The queue has a checksum of its own: all jobs of a queue can be moved at once (queue_rows.c). */
static bool queue_is(sqlite3_stmt *statement, int column, const struct job_facts *facts)
{
    return facts->queue != NULL &&
           sum_text(0, facts->queue) == sqlite3_column_int64(statement, column);
}

static int read_facts(sqlite3_stmt *statement, int at, struct job_facts *ret, struct error *err)
{
    /* Of a store of before schema 6: all failures, at once. */
    static const struct retry_rule as_before = {.backoff = {.factor_milli = 1000},
                                                .jitter = RETRY_JITTER_NONE,
                                                .on = {.scope = RETRY_SCOPE_FAILURES}};
    const char *retry = (const char *)sqlite3_column_text(statement, at + 23);
    const void *run = sqlite3_column_blob(statement, at + 14);
    size_t run_bytes = (size_t)sqlite3_column_bytes(statement, at + 14);
#define COLUMN(number) sqlite3_column_int64(statement, number)
    *ret = (struct job_facts){.id = (uint64_t)COLUMN(0),
                              .uid = (uint32_t)COLUMN(at),
                              .gid = (uint32_t)COLUMN(at + 1),
                              .priority = (enum job_priority)COLUMN(at + 2),
                              .cpus = (uint32_t)COLUMN(at + 3),
                              .memory_bytes = (uint64_t)COLUMN(at + 4),
                              .retry = as_before,
                              .submitted_at = COLUMN(at + 7),
                              .name = column_text(statement, at + 8),
                              .type = column_text(statement, at + 9),
                              .key = column_text(statement, at + 10),
                              .tags = column_text(statement, at + 11),
                              .array = column_text(statement, at + 12),
                              .estimate_us = COLUMN(at + 13),
                              .gpus = (uint32_t)COLUMN(at + 16),
                              .disk_bytes = (uint64_t)COLUMN(at + 17),
                              .counters = column_text(statement, at + 18),
                              .queue = column_text(statement, at + 19),
                              .edited_at = COLUMN(at + 20),
                              .digest = column_text(statement, at + 21),
                              .unique = column_text(statement, at + 22),
                              .gpu_share = (uint32_t)COLUMN(at + 25),
                              .gpu_memory_bytes = (uint64_t)COLUMN(at + 26),
                              .bound = COLUMN(at + 27) != 0,
                              .run = xmemdup(run, run_bytes),
                              .run_bytes = run_bytes};
    int64_t stored = COLUMN(at + 15);
    ret->retry.max_attempts = (uint32_t)COLUMN(at + 5);
    ret->retry.lost = COLUMN(at + 6) != 0 ? RETRY_LOST_RERUN : RETRY_LOST_FINAL;
#undef COLUMN
    if (ret->name != NULL && sum_facts(ret, retry) == stored && queue_is(statement, at + 24, ret) &&
        ret->priority < JOB_PRIORITY_COUNT &&
        (retry == NULL || retry_rule_parse(retry, &ret->retry) == 0))
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
    if (read_facts(statement, FACTS_AT, &ret->facts, err) < 0) {
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
        "INSERT INTO job(" ROW_COLUMNS ") VALUES(?1,0,0,0,0,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,"
        "?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30,?31,?32,?33,?34,"
        "?35,?36,?37,?38,?39,?40,?41,?42,?43,?44,?45,?46,?47,?48,?49,?50,?51,?52,?53,?54,?55,?56,?57)";
    struct job_status status = {.outcome.exit_code = -1};
    if (db_begin(db, err) < 0 || next_id(db, &status.id, err) < 0)
        return -1;
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    facts->id = status.id;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)status.id);
    status_bind(statement, 2, &status);
    bind_facts(statement, 2 + STATUS_WIDTH, facts);
    return db_run(db, statement, err);
}

int job_rows_update(struct db *db, const struct job_status *status, struct error *err)
{
    static const char sql[] =
        "UPDATE job SET state=?2,attempt=?3,charged=?4,losses=?5,cancelling=?6,worker=?7,"
        "started_at=?8,ended_at=?9,class=?10,exit_code=?11,signal=?12,message=?13,user_us=?14,"
        "system_us=?15,run_us=?16,max_rss_bytes=?17,stdout_bytes=?18,stderr_bytes=?19,"
        "cut_bytes=?20,lost_bytes=?21,result=?22,predicted_us=?23,predicted_by=?24,gpu_set=?25,"
        "retry_at=?26,retry_us=?27,cpu_list=?28,status_sum=?29,next=?30,tasks_completed=?31,"
        "tasks_failed=?32,tasks_cancelled=?33 "
        "WHERE id=?1";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t progress[] = {(int64_t)status->tasks.next, (int64_t)status->tasks.completed,
                                (int64_t)status->tasks.failed, (int64_t)status->tasks.cancelled};
    (void)sqlite3_bind_int64(statement, 1, (int64_t)status->id);
    status_bind(statement, 2, status);
    bind_numbers(statement, 2 + STATUS_WIDTH, progress, 4);
    if (db_run(db, statement, err) < 0)
        return -1;
    if (sqlite3_changes(sqlite3_db_handle(statement)) != 1)
        return error_set(err, ERROR_INTERNAL, "job %llu is not in the store",
                         (unsigned long long)status->id);
    return 0;
}

int job_rows_rewrite(struct db *db, const struct job_facts *facts, struct error *err)
{
    static const char sql[] =
        "UPDATE job SET uid=?2,gid=?3,priority=?4,cpus=?5,memory_bytes=?6,max_attempts=?7,"
        "rerun_if_lost=?8,submitted_at=?9,name=?10,type=?11,key=?12,tags=?13,array=?14,"
        "estimate_us=?15,run=?16,facts_sum=?17,gpus=?18,disk_bytes=?19,counters=?20,queue=?21,"
        "edited_at=?22,digest=?23,unique_key=?24,retry=?25,queue_sum=?26,"
        "gpu_share=?27,gpu_memory_bytes=?28,bound=?29 WHERE id=?1";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)facts->id);
    bind_facts(statement, 2, facts);
    return db_run(db, statement, err);
}

int job_rows_load(struct db *db, uint64_t id, struct job_row *ret, struct error *err)
{
    static const char sql[] = "SELECT " ROW_COLUMNS " FROM job WHERE id=?1 AND" IS_KEPT;
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

static int read_id(void *arg, sqlite3_stmt *statement, struct error *err)
{
    uint64_t *ret = arg;
    (void)err;
    *ret = (uint64_t)sqlite3_column_int64(statement, 0);
    return 1;
}

/* The id that it tells first; 0: there is none. */
static int first_id(struct db *db, sqlite3_stmt *statement, uint64_t *ret, struct error *err)
{
    *ret = 0;
    return statement == NULL ? -1 : db_each(db, statement, read_id, ret, err);
}

/* Of the jobs of this user (?1) with that text (?2). */
static sqlite3_stmt *of_text(struct db *db, const char *sql, uint32_t uid, const char *text,
                             struct error *err)
{
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return NULL;
    (void)sqlite3_bind_int64(statement, 1, uid);
    bind_text(statement, 2, text);
    return statement;
}

/* Of those the ones before or behind an id (?3). */
static sqlite3_stmt *beside(struct db *db, const char *sql, uint32_t uid, const char *name,
                            uint64_t id, struct error *err)
{
    sqlite3_stmt *statement = of_text(db, sql, uid, name, err);
    if (statement != NULL)
        (void)sqlite3_bind_int64(statement, 3, (int64_t)id);
    return statement;
}

int job_rows_find_key(struct db *db, uint32_t uid, const char *key, uint64_t *ret,
                      struct error *err)
{
    static const char sql[] = "SELECT id FROM job WHERE uid=?1 AND key=?2";
    return first_id(db, of_text(db, sql, uid, key, err), ret, err);
}

int job_rows_find_unique(struct db *db, uint32_t uid, const char *unique, uint64_t *ret,
                         struct error *err)
{
    static const char sql[] =
        "SELECT id FROM job INDEXED BY job_unique WHERE uid=?1 AND unique_key=?2 AND state<4";
    return first_id(db, of_text(db, sql, uid, unique, err), ret, err);
}

int job_rows_find_namesake(struct db *db, uint32_t uid, const char *name, uint64_t before,
                           uint64_t *ret, struct error *err)
{
    static const char sql[] = "SELECT id FROM job INDEXED BY job_name WHERE state<4 AND uid=?1 AND "
                              "name=?2 AND id<?3 ORDER BY id DESC LIMIT 1";
    return first_id(db, beside(db, sql, uid, name, before, err), ret, err);
}

int job_rows_find_successor(struct db *db, uint32_t uid, const char *name, uint64_t after,
                            uint64_t *ret, struct error *err)
{
    static const char sql[] = "SELECT id FROM job INDEXED BY job_name WHERE state<4 AND uid=?1 AND "
                              "name=?2 AND id>?3 ORDER BY id LIMIT 1";
    return first_id(db, beside(db, sql, uid, name, after, err), ret, err);
}

/* A bound of 0 means "none", and states of -1: what is not asked for leaves no damaged row out,
 * unread. The two texts differ in the direction only. */
#define ALL_STATES INT64_C(-1)
#define LIST_WHERE                                                               \
    " FROM job WHERE (?1=0 OR id>=?1) AND (?2=0 OR id<=?2) AND (?3=0 OR uid=?4)" \
    " AND (?5 IS NULL OR name GLOB ?5) AND (?6=0 OR submitted_at>=?6)"           \
    " AND (?7=0 OR submitted_at<=?7) AND (?8=0 OR state<4 OR ended_at>=?8)"      \
    " AND (?9=-1 OR (1<<state)&?9) AND (?11 IS NULL OR queue=?11) AND" IS_KEPT

struct reading {
    job_row_fn each;
    void *arg;
};

static int read_listed(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    struct job_row row;
    if (read_row(statement, &row, err) < 0)
        return -1;
    int stop = reading->each(reading->arg, &row);
    job_row_done(&row);
    return stop != 0;
}

int job_rows_list(struct db *db, const struct job_filter *filter, job_row_fn each, void *arg,
                  struct error *err)
{
    static const char oldest[] = "SELECT " ROW_COLUMNS LIST_WHERE " AND id>?10 ORDER BY id";
    static const char newest[] =
        "SELECT " ROW_COLUMNS LIST_WHERE " AND (?10=0 OR id<?10) ORDER BY id DESC";
    struct reading reading = {each, arg};
    int64_t states = filter->states_set ? 0 : ALL_STATES;
    for (unsigned i = 0; i < JOB_STATE_COUNT; i++)
        states |= filter->states_set && filter->states[i] ? INT64_C(1) << i : 0;
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
    bind_text(statement, 11, filter->queue);
    return db_each(db, statement, read_listed, &reading, err);
}

/* Columns behind those of the status. */
enum open_column {
    OPEN_UID,
    OPEN_PRIORITY,
    OPEN_SUBMITTED,
    OPEN_ARRAY,
    OPEN_CPUS,
    OPEN_MEMORY,
    OPEN_NAME,
    OPEN_TYPE,
    OPEN_ESTIMATE,
    OPEN_GPUS,
    OPEN_DISK,
    OPEN_COUNTERS,
    OPEN_QUEUE,
    OPEN_QUEUE_SUM,
    OPEN_GPU_SHARE,
    OPEN_GPU_MEMORY,
    OPEN_BOUND,
    OPEN_KEY
};

static char *open_text(sqlite3_stmt *statement, enum open_column column)
{
    return column_text(statement, FACTS_AT + (int)column);
}

static int64_t open_number(sqlite3_stmt *statement, enum open_column column)
{
    return sqlite3_column_int64(statement, FACTS_AT + (int)column);
}

static int read_open(sqlite3_stmt *statement, struct job *job, struct job_status *status,
                     struct job_facts *facts, struct error *err)
{
    if (read_status(statement, status, err) < 0)
        return -1;
    int64_t priority = open_number(statement, OPEN_PRIORITY);
    *job = (struct job){.id = status->id,
                        .since = open_number(statement, OPEN_SUBMITTED),
                        .estimate_us = ESTIMATE_UNKNOWN,
                        .uid = (uint32_t)open_number(statement, OPEN_UID),
                        .level = (unsigned)priority & JOB_LEVEL_MASK};
    *facts =
        (struct job_facts){.name = open_text(statement, OPEN_NAME),
                           .type = open_text(statement, OPEN_TYPE),
                           .estimate_us = open_number(statement, OPEN_ESTIMATE),
                           .cpus = (uint32_t)open_number(statement, OPEN_CPUS),
                           .memory_bytes = (uint64_t)open_number(statement, OPEN_MEMORY),
                           .gpus = (uint32_t)open_number(statement, OPEN_GPUS),
                           .disk_bytes = (uint64_t)open_number(statement, OPEN_DISK),
                           .gpu_share = (uint32_t)open_number(statement, OPEN_GPU_SHARE),
                           .gpu_memory_bytes = (uint64_t)open_number(statement, OPEN_GPU_MEMORY),
                           .bound = open_number(statement, OPEN_BOUND) != 0,
                           .counters = open_text(statement, OPEN_COUNTERS),
                           .array = open_text(statement, OPEN_ARRAY),
                           .queue = open_text(statement, OPEN_QUEUE),
                           .key = open_text(statement, OPEN_KEY)};
    if (priority >= 0 && priority < JOB_PRIORITY_COUNT &&
        queue_is(statement, FACTS_AT + OPEN_QUEUE_SUM, facts))
        return 0;
    job_status_done(status);
    job_facts_done(facts);
    return error_set(err, ERROR_DAMAGED, "the row of job %llu has no priority or queue of ours",
                     (unsigned long long)job->id);
}

struct reading_open {
    job_open_fn each;
    void *arg;
};

static int read_one_open(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading_open *reading = arg;
    struct job job;
    struct job_status status;
    struct job_facts facts;
    if (read_open(statement, &job, &status, &facts, err) < 0)
        return -1;
    const struct job_open open = {.job = &job, .status = &status, .facts = &facts};
    int stop = reading->each(reading->arg, &open);
    job_status_done(&status);
    job_facts_done(&facts);
    return stop != 0;
}

int job_rows_each_open(struct db *db, job_open_fn each, void *arg, struct error *err)
{
    static const char sql[] =
        "SELECT " PROGRESS_COLUMNS STATUS_COLUMNS
        ",uid,priority,submitted_at,array,cpus,memory_bytes,name,type,estimate_us,gpus,"
        "disk_bytes,counters,queue,queue_sum,gpu_share,gpu_memory_bytes,bound,key FROM job "
        "INDEXED BY job_open WHERE state<4 ORDER BY id";
    struct reading_open reading = {each, arg};
    return db_each(db, db_statement(db, sql, err), read_one_open, &reading, err);
}

static int read_count(void *arg, sqlite3_stmt *statement, struct error *err)
{
    uint64_t *counts = arg; /* JOB_STATE_COUNT of them */
    int state = sqlite3_column_int(statement, 0);
    (void)err;
    if (state >= 0 && state < JOB_STATE_COUNT)
        counts[state] = (uint64_t)sqlite3_column_int64(statement, 1);
    return 0;
}

int job_rows_count(struct db *db, uint64_t counts[JOB_STATE_COUNT], struct error *err)
{
    static const char sql[] = "SELECT state, count(*) FROM job WHERE state>=4 GROUP BY state";
    return db_each(db, db_statement(db, sql, err), read_count, counts, err);
}

static int go_on(void *arg, const struct job_row *row)
{
    (void)arg;
    (void)row;
    return 0;
}

/* Each row: a list leaves out those whose damaged numbers are not what it asks for. */
int job_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT " ROW_COLUMNS " FROM job WHERE" IS_KEPT;
    struct reading reading = {go_on, NULL};
    return db_each(db, db_statement(db, sql, err), read_listed, &reading, err);
}
