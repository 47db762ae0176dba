#include "daemon/store/status_columns.h"

#include "common/alloc.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* What only tasks and arrays have is left out for plain jobs, and so are a prediction, GPUs,
 * processors, a wait for another attempt and memory of its own where there were none: their sums
 * are those of schema 1. */
static uint32_t sum_status(const struct job_status *status)
{
    const struct outcome *outcome = &status->outcome;
    const struct array_progress *tasks = &status->tasks;
    const int64_t numbers[] = {(int64_t)status->id,     status->state,      status->attempt,
                               status->charged,         status->losses,     status->cancelling,
                               (int64_t)status->worker, status->started_at, status->ended_at,
                               outcome->class,          outcome->exit_code, outcome->signal};
    int64_t used[USAGE_WIDTH];
    const int64_t progress[] = {(int64_t)tasks->next, (int64_t)tasks->completed,
                                (int64_t)tasks->failed, (int64_t)tasks->cancelled};
    uint32_t sum = sum_numbers(0, numbers, sizeof(numbers) / sizeof(numbers[0]));
    usage_numbers(&status->usage, used);
    sum = sum_numbers(sum, used, USAGE_WIDTH);
    if (status->is_task)
        sum = sum_number(sum, (int64_t)status->index);
    if ((tasks->next | tasks->completed | tasks->failed | tasks->cancelled) != 0)
        sum = sum_numbers(sum, progress, sizeof(progress) / sizeof(progress[0]));
    if (status->predicted_us > 0)
        sum = sum_number(sum_number(sum, status->predicted_us), status->predicted_by);
    if (status->gpu_set != 0)
        sum = sum_number(sum, (int64_t)status->gpu_set);
    if (status->retry_at != 0)
        sum = sum_number(sum_number(sum, status->retry_at), status->retry_us);
    if (status->memory_bytes != 0)
        sum = sum_number(sum, (int64_t)status->memory_bytes);
    if (!cpu_list_is_empty(&status->cpus)) {
        char list[CPU_LIST_TEXT_BYTES];
        cpu_list_format(&status->cpus, list);
        sum = sum_text(sum, list);
    }
    return sum_text(sum_text(sum, outcome->message), status->result);
}

/* ---- columns ---- */

/* Whole pages, or KiB: what they are by is in the bits that are 0. It is 0 in what was stored
 * before that was kept, so columns and sums are as they were. */
#define SOURCE_MASK UINT64_C(3)
static_assert(MEMORY_SOURCE_COUNT == SOURCE_MASK + 1, "it has two bits");

static uint64_t pack_memory(const struct usage *usage)
{
    return (usage->max_rss_bytes & ~SOURCE_MASK) | (uint64_t)usage->memory_source;
}

void usage_numbers(const struct usage *usage, int64_t ret[USAGE_WIDTH])
{
    const uint64_t numbers[USAGE_WIDTH] = {
        usage->user_us,      usage->system_us,    usage->run_us,    pack_memory(usage),
        usage->stdout_bytes, usage->stderr_bytes, usage->cut_bytes, usage->lost_bytes};
    memcpy(ret, numbers, sizeof(numbers));
}

struct usage usage_read(sqlite3_stmt *statement, int at)
{
#define COLUMN(number) ((uint64_t)sqlite3_column_int64(statement, at + (number)))
    return (struct usage){.user_us = COLUMN(0),
                          .system_us = COLUMN(1),
                          .run_us = COLUMN(2),
                          .max_rss_bytes = COLUMN(3) & ~SOURCE_MASK,
                          .memory_source = (enum memory_source)(COLUMN(3) & SOURCE_MASK),
                          .stdout_bytes = COLUMN(4),
                          .stderr_bytes = COLUMN(5),
                          .cut_bytes = COLUMN(6),
                          .lost_bytes = COLUMN(7)};
#undef COLUMN
}

void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    (void)sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

void bind_numbers(sqlite3_stmt *statement, int at, const int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)sqlite3_bind_int64(statement, at + (int)i, numbers[i]);
}

char *column_text(sqlite3_stmt *statement, int column)
{
    return xstrdup((const char *)sqlite3_column_text(statement, column));
}

static void bind_cpus(sqlite3_stmt *statement, int at, const struct cpu_list *cpus)
{
    char text[CPU_LIST_TEXT_BYTES];
    cpu_list_format(cpus, text);
    (void)sqlite3_bind_text(statement, at, text[0] == '\0' ? NULL : text, -1, SQLITE_TRANSIENT);
}

void status_bind(sqlite3_stmt *statement, int at, const struct job_status *status)
{
    const struct outcome *outcome = &status->outcome;
    const int64_t head[] = {status->state,      status->attempt,    status->charged,
                            status->losses,     status->cancelling, (int64_t)status->worker,
                            status->started_at, status->ended_at,   outcome->class,
                            outcome->exit_code, outcome->signal};
    int64_t used[USAGE_WIDTH];
    usage_numbers(&status->usage, used);
    bind_numbers(statement, at, head, 11);
    bind_text(statement, at + 11, outcome->message);
    bind_numbers(statement, at + 12, used, USAGE_WIDTH);
    bind_text(statement, at + 20, status->result);
    const int64_t tail[] = {status->predicted_us, status->predicted_by, (int64_t)status->gpu_set,
                            status->retry_at, status->retry_us};
    bind_numbers(statement, at + 21, tail, 5);
    bind_cpus(statement, at + 26, &status->cpus);
    (void)sqlite3_bind_int64(statement, at + 27, sum_status(status));
}

static bool read_cpus(sqlite3_stmt *statement, int column, struct cpu_list *ret)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    struct error err;
    return text == NULL || cpu_list_parse(text, ret, &err) == 0;
}

static int damaged(struct job_status *status, struct error *err)
{
    job_status_done(status);
    if (status->is_task)
        return error_set(err, ERROR_DAMAGED, "the row of task %llu_%llu fails its checksum",
                         (unsigned long long)status->id, (unsigned long long)status->index);
    return error_set(err, ERROR_DAMAGED, "the row of job %llu fails its checksum",
                     (unsigned long long)status->id);
}

/* What no sum covers, as what it goes with is not there: else a damaged cell would be taken for it.
 */
static void drop_unsummed(struct job_status *status)
{
    if (status->predicted_us <= 0) {
        status->predicted_us = 0;
        status->predicted_by = ESTIMATE_NONE;
    }
    if (status->retry_at == 0)
        status->retry_us = 0;
}

int status_read(sqlite3_stmt *statement, int at, struct job_status *status, struct error *err)
{
    const char *message = (const char *)sqlite3_column_text(statement, at + 11);
#define COLUMN(number) sqlite3_column_int64(statement, at + (number))
    status->state = (enum job_state)COLUMN(0);
    status->attempt = (uint32_t)COLUMN(1);
    status->charged = (uint32_t)COLUMN(2);
    status->losses = (uint32_t)COLUMN(3);
    status->cancelling = COLUMN(4) != 0;
    status->worker = (uint64_t)COLUMN(5);
    status->started_at = COLUMN(6);
    status->ended_at = COLUMN(7);
    status->outcome = (struct outcome){.class = (enum outcome_class)COLUMN(8),
                                       .exit_code = (int)COLUMN(9),
                                       .signal = (int)COLUMN(10)};
    (void)snprintf(status->outcome.message, sizeof(status->outcome.message), "%s",
                   message == NULL ? "" : message);
    status->usage = usage_read(statement, at + 12);
    status->result = column_text(statement, at + 20);
    status->predicted_us = COLUMN(21);
    status->predicted_by = (enum estimate_source)COLUMN(22);
    status->gpu_set = (uint64_t)COLUMN(23);
    status->retry_at = COLUMN(24);
    status->retry_us = COLUMN(25);
    bool sound = read_cpus(statement, at + 26, &status->cpus);
    int64_t stored = COLUMN(27);
#undef COLUMN
    if (!sound || sum_status(status) != stored || status->state >= JOB_STATE_COUNT)
        return damaged(status, err);
    drop_unsummed(status);
    return 0;
}
