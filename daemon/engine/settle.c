/* The end of an attempt: its outcome is known (a report, a log, or a verdict of loss) and the job
 * either ends or waits again. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/job_log.h"
#include "daemon/core/ending.h"
#include "daemon/core/job_request.h"
#include "daemon/store/attempt_rows.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* A worker keeps at most 1 MiB of a processor's lines, and the last one. */
#define PROCESSOR_LINES_MAX ((size_t)4 << 20)

static const char result_start[] = "{\"type\":\"result\",\"result\":";

char *engine_read_result(const struct engine *engine, const struct active *entry)
{
    size_t bytes = 0;
    const struct attempt_id id = active_id(entry);
    CLEANUP_FREE char *base = attempt_path(engine->options.state_dir, &id);
    CLEANUP_FREE char *path = xasprintf("%s.events", base);
    CLEANUP_FREE char *lines = fd_read_file(AT_FDCWD, path, PROCESSOR_LINES_MAX, &bytes);
    char *found = NULL;
    for (char *line = lines; line != NULL && *line != '\0';) {
        char *end = strchrnul(line, '\n');
        bool whole = *end == '\n';
        size_t length = (size_t)(end - line);
        if (whole && length > sizeof(result_start) && end[-1] == '}' &&
            strncmp(line, result_start, sizeof(result_start) - 1) == 0) {
            free(found);
            found = xmemdup(line + sizeof(result_start) - 1, length - sizeof(result_start));
        }
        line = whole ? end + 1 : end;
    }
    return found;
}

static void uncount(struct engine *engine, struct active *entry)
{
    if (entry->counted)
        pool_unload(engine->pool, entry->status.worker);
    entry->counted = false;
    engine_volumes_left(engine, entry);
    engine_release(engine, entry);
}

/* ---- another attempt ---- */

/* What the next attempt gets after this one had too little memory; 0: it had not, or gets no more.
 */
static uint64_t grown_memory(const struct engine *engine, const struct active *entry)
{
    const struct resources *total = scheduler_total(engine->scheduler);
    uint64_t cap = engine->options.memory_cap_bytes;
    if (entry->status.outcome.class != OUTCOME_OOM)
        return 0;
    if (cap == 0 || cap > total->amount[RESOURCE_MEMORY])
        cap = total->amount[RESOURCE_MEMORY];
    return job_memory_grown(entry->asked.amount[RESOURCE_MEMORY], entry->status.usage.max_rss_bytes,
                            cap);
}

/* To a plain job. A task keeps its own in its row: the tasks of an array have one request. */
static void give_memory(struct engine *engine, uint64_t id, uint64_t memory_bytes)
{
    struct job_row row;
    struct error err;
    if (engine->broken)
        return;
    if (job_rows_load(engine->db, id, &row, &err) < 0) {
        engine_break(engine, &err);
        return;
    }
    row.facts.memory_bytes = memory_bytes;
    if (job_rows_rewrite(engine->db, &row.facts, &err) < 0)
        engine_break(engine, &err);
    else
        engine_apply_facts(engine, jobset_find(engine->jobs, id), &row.facts);
    job_row_done(&row);
}

static enum attempt_kind kind_of(const struct outcome *outcome, enum ending ending)
{
    if (ending == ENDING_AGAIN_CHARGED)
        return ATTEMPT_CHARGED;
    if (ending == ENDING_AGAIN_LATER)
        return ATTEMPT_REFUSED;
    return outcome->class == OUTCOME_LOST && !outcome->planned ? ATTEMPT_LOSS : ATTEMPT_FREE;
}

/* Another attempt: this one's end is kept as history, the job waits again. */
static void run_again(struct engine *engine, struct active *entry, enum ending ending)
{
    struct error err;
    const uint64_t id = entry->status.id;
    const uint64_t grown = grown_memory(engine, entry);
    const bool is_task = entry->status.is_task;
    const enum attempt_kind kind = kind_of(&entry->status.outcome, ending);
    if (entry->status.ended_at == 0)
        entry->status.ended_at = clock_wall_us();
    entry->status.charged += kind == ATTEMPT_CHARGED;
    entry->status.losses += kind == ATTEMPT_LOSS;
    if (kind == ATTEMPT_CHARGED)
        engine_choose_backoff(&entry->retry, &entry->status);
    else if (kind == ATTEMPT_REFUSED)
        engine_choose_pause(engine, &entry->status);
    const struct attempt_row row = {.status = entry->status,
                                    .kind = kind,
                                    .memory_bytes = entry->asked.amount[RESOURCE_MEMORY]};
    if (!engine->broken && attempt_rows_keep(engine->db, &row, &err) < 0)
        engine_break(engine, &err);
    engine_count_retry(engine, entry);
    if (is_task && grown > 0)
        entry->status.memory_bytes = grown;
    engine_return(engine, entry, NULL);
    if (grown > 0 && !is_task)
        give_memory(engine, id, grown);
}

/* ---- the end ---- */

static void end_job(struct engine *engine, struct active *entry, enum job_event event)
{
    struct job *job = jobset_find(engine->jobs, entry->status.id);
    if (entry->status.ended_at == 0)
        entry->status.ended_at = clock_wall_us();
    if (entry->status.outcome.class != OUTCOME_SUCCESS &&
        entry->status.outcome.class != OUTCOME_LOST)
        entry->status.charged++;
    if (event == JOB_EVENT_CANCEL)
        entry->status.outcome.class = OUTCOME_CANCELLED;
    if (entry->type != NULL)
        entry->status.result = engine_read_result(engine, entry);
    engine_step(engine, entry, event);
    engine_store_status(engine, entry);
    engine_count_end(engine, entry);
    engine_tell(engine, job, &entry->status, BUS_ENDED);
    if (event == JOB_EVENT_SUCCEED)
        engine_learn(engine, job, &entry->status);
    if (entry->status.is_task) {
        array_task_ended(engine, arrays_live(engine, job->id), &entry->status);
    } else {
        engine_remove(engine, job);
    }
    active_remove(&engine->active, entry);
}

/* Of the last hours, with this one. */
static uint32_t count_losses(struct engine *engine, const struct active *entry)
{
    const struct job_status *status = &entry->status;
    int64_t at = status->ended_at > 0 ? status->ended_at : clock_wall_us();
    uint32_t before = 0;
    struct error err;
    if (status->losses == 0 || engine->broken)
        return 1;
    if (attempt_rows_losses(engine->db, status, at - POISON_WINDOW_US, &before, &err) < 0)
        engine_break(engine, &err);
    return before + 1;
}

static enum ending decide(struct engine *engine, struct active *entry, bool tree_dead)
{
    struct outcome *outcome = &entry->status.outcome;
    bool lost = outcome->class == OUTCOME_LOST && !outcome->refused;
    const struct ended_attempt attempt = {.outcome = outcome,
                                          .rule = &entry->retry,
                                          .charged = entry->status.charged,
                                          .losses = lost ? count_losses(engine, entry) : 0,
                                          .cancelling = entry->status.cancelling,
                                          .tree_dead = tree_dead,
                                          .grows = grown_memory(engine, entry) > 0};
    enum ending ending = ending_of(&attempt);
    if (ending == ENDING_POISON)
        (void)snprintf(outcome->message, sizeof(outcome->message),
                       "poison: lost %u times in %d h; its worker or the machine failed each time",
                       attempt.losses, POISON_HOURS);
    return ending;
}

void engine_settle(struct engine *engine, struct active *entry, bool tree_dead)
{
    static const enum job_event events[] = {
        [ENDING_COMPLETED] = JOB_EVENT_SUCCEED,
        [ENDING_FAILED] = JOB_EVENT_FAIL,
        [ENDING_POISON] = JOB_EVENT_FAIL,
        [ENDING_CANCELLED] = JOB_EVENT_CANCEL,
    };
    enum ending ending = ENDING_FAILED;
    if (entry->status.state == JOB_STATE_STARTING && entry->status.started_at > 0)
        engine_count_start(engine, entry); /* nobody was told: it was short */
    if (!engine_end_of_deadline(entry))
        ending = decide(engine, entry, tree_dead);
    if (entry->status.outcome.class == OUTCOME_OOM)
        engine_learn_memory(engine, entry);
    engine_breaker_ended(engine, entry);
    job_log_end(jobset_find(engine->jobs, entry->status.id), &entry->status, ending);
    uncount(engine, entry);
    if (ending_again(ending))
        run_again(engine, entry, ending);
    else
        end_job(engine, entry, events[ending]);
}

void engine_return(struct engine *engine, struct active *entry, const char *why)
{
    struct job *job = jobset_find(engine->jobs, entry->status.id);
    uncount(engine, entry);
    if (why != NULL)
        log_debug("job %llu waits again: %s", (unsigned long long)job->id, why);
    entry->status.worker = 0;
    entry->status.gpu_set = 0;
    entry->status.cpus = (struct cpu_list){.bits = {0}};
    entry->status.started_at = entry->status.ended_at = 0;
    entry->status.outcome = (struct outcome){.exit_code = -1};
    entry->status.usage = (struct usage){0};
    entry->status.predicted_us = 0;
    entry->status.predicted_by = ESTIMATE_NONE;
    engine_step(engine, entry, JOB_EVENT_RETURN);
    engine_store_status(engine, entry);
    engine_tell(engine, job, &entry->status, BUS_REQUEUED);
    if (entry->status.is_task)
        array_put_back(engine, arrays_live(engine, job->id), &entry->status);
    else
        engine_watch_backoff(engine, job, engine_backoff_until(&entry->status));
    if (entry->deadline_passed != 0)
        engine_watch_deadline(engine, job->id, entry->deadline_passed);
    engine_breaker_returned(engine, entry);
    active_remove(&engine->active, entry);
}

void engine_never_started(struct engine *engine, struct active *entry, const char *why)
{
    if (!entry->status.cancelling) {
        engine_return(engine, entry, why);
        return;
    }
    entry->status.outcome = (struct outcome){.class = OUTCOME_CANCELLED, .exit_code = -1};
    engine_settle(engine, entry, true);
}

void engine_stop_active(struct engine *engine, struct active *entry, uint64_t grace_ms)
{
    const struct job_stop stop = {.id = active_id(entry), .grace_ms = grace_ms};
    pool_stop(engine->pool, entry->status.worker, &stop);
}
