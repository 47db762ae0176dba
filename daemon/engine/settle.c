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
#include "daemon/engine/outcome.h"
#include "daemon/store/attempt_rows.h"

#include <fcntl.h>
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
    engine_release(engine, entry);
}

/* Another attempt: this one's end is kept as history, the job waits again. */
static void run_again(struct engine *engine, struct active *entry, bool charged)
{
    struct error err;
    if (entry->status.ended_at == 0)
        entry->status.ended_at = clock_wall_us();
    if (!engine->broken && attempt_rows_keep(engine->db, &entry->status, &err) < 0)
        engine_break(engine, &err);
    entry->status.charged += charged;
    entry->status.losses += entry->status.outcome.class == OUTCOME_LOST;
    engine_return(engine, entry, NULL);
}

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
    if (entry->is_processor)
        entry->status.result = engine_read_result(engine, entry);
    engine_step(engine, entry, event);
    engine_store_status(engine, entry);
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

void engine_settle(struct engine *engine, struct active *entry, bool tree_dead)
{
    static const enum job_event events[] = {
        [ENDING_COMPLETED] = JOB_EVENT_SUCCEED,
        [ENDING_FAILED] = JOB_EVENT_FAIL,
        [ENDING_CANCELLED] = JOB_EVENT_CANCEL,
    };
    enum ending ending = ENDING_FAILED;
    if (!engine_end_of_deadline(entry))
        ending =
            outcome_ending(&entry->status, entry->max_attempts, entry->rerun_if_lost, tree_dead);
    engine_breaker_ended(engine, entry);
    job_log_end(jobset_find(engine->jobs, entry->status.id), &entry->status, ending);
    uncount(engine, entry);
    if (ending == ENDING_AGAIN_CHARGED || ending == ENDING_AGAIN_FREE)
        run_again(engine, entry, ending == ENDING_AGAIN_CHARGED);
    else
        end_job(engine, entry, events[ending]);
}

void engine_return(struct engine *engine, struct active *entry, const char *why)
{
    const struct job *job = jobset_find(engine->jobs, entry->status.id);
    uncount(engine, entry);
    if (why != NULL)
        log_debug("job %llu waits again: %s", (unsigned long long)job->id, why);
    entry->status.worker = 0;
    entry->status.gpu_set = 0;
    entry->status.started_at = entry->status.ended_at = 0;
    entry->status.outcome = (struct outcome){.exit_code = -1};
    entry->status.usage = (struct usage){0};
    entry->status.predicted_us = 0;
    entry->status.predicted_by = ESTIMATE_NONE;
    engine_step(engine, entry, JOB_EVENT_RETURN);
    engine_store_status(engine, entry);
    engine_tell(engine, job, &entry->status, BUS_REQUEUED);
    if (entry->status.is_task)
        array_put_back(engine, arrays_live(engine, job->id), entry->status.index);
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
