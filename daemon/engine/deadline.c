/* Deadlines: a job that has not ended by its deadline is ended. One that waits is cancelled at
 * once; one that runs is stopped as for a timeout, and is not tried again. Looked at each turn, so
 * many a turn that others are served in between, and again at the start of the daemon, so a
 * deadline that passed meanwhile counts then. What is left for the next turn does not start.
 *
 * A job that is to be warned of the end of its time (--timeout-signal) is warned of its deadline as
 * well: once, if it runs then and batchd is there. Only what a worker has is to be warned, so when
 * is looked up as it starts, and not kept for all that wait. */
#include "common/clock.h"
#include "common/log.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"

#include <stdio.h>
#include <time.h>

/* Each takes three or four statements, some 12 us, and what engine_work counts. */
#define ENDED_A_TURN 1000
#define ENDED_FOR_STARTS 100
#define WARNED_AGAIN_US (200 * US_PER_MS)

static void format_time(int64_t at, char *ret, size_t bytes)
{
    time_t seconds = (time_t)(at / US_PER_SECOND);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL || strftime(ret, bytes, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        (void)snprintf(ret, bytes, "?");
}

int engine_check_deadline(const struct job_facts *facts, int64_t now, struct error *err)
{
    char asked[32], other[32];
    if (facts->deadline_at == 0)
        return 0;
    format_time(facts->deadline_at, asked, sizeof(asked));
    if (facts->deadline_at <= now)
        return error_set_field(err, "deadline", "deadline %s has passed; it must be later than now",
                               asked);
    if (facts->deadline_at > facts->begin_at)
        return 0;
    format_time(facts->begin_at, other, sizeof(other));
    return error_set_field(err, "deadline", "deadline %s must be later than begin, which is %s",
                           asked, other);
}

int engine_check_begin(const struct job_facts *facts, struct error *err)
{
    char asked[32], other[32];
    if (facts->deadline_at == 0 || facts->begin_at < facts->deadline_at)
        return 0;
    format_time(facts->begin_at, asked, sizeof(asked));
    format_time(facts->deadline_at, other, sizeof(other));
    return error_set_field(err, "begin", "begin %s must be earlier than the deadline, which is %s",
                           asked, other);
}

static bool is_open(const void *arg, uint64_t job)
{
    const struct engine *engine = arg;
    return jobset_find(engine->jobs, job) != NULL;
}

void engine_watch_deadline(struct engine *engine, uint64_t job, int64_t at)
{
    const struct deadline deadline = {.at = at, .job = job};
    deadlines_add(&engine->deadlines, &deadline, is_open, engine);
}

void engine_change_deadline(struct engine *engine, uint64_t job, int64_t before, int64_t at)
{
    const struct deadline old = {.at = before, .job = job};
    if (before > 0)
        deadlines_remove(&engine->deadlines, &old);
    if (at > 0)
        engine_watch_deadline(engine, job, at);
}

/* ---- the warning ---- */

static void warn_at(struct engine *engine, struct active *entry, int64_t at)
{
    entry->warn_at = at;
    if (engine->warn_at == 0 || at < engine->warn_at)
        engine->warn_at = at;
}

void engine_watch_warning(struct engine *engine, struct active *entry, const struct job_run *run)
{
    struct condition condition = {0};
    struct error err;
    if (run->warn_signal == 0)
        return;
    if (condition_rows_load(engine->db, entry->status.id, &condition, &err) < 0) {
        engine_break(engine, &err);
        return;
    }
    int64_t at = condition.deadline_at - (int64_t)run->warn_ms * US_PER_MS;
    if (condition.deadline_at == 0 || at <= clock_wall_us())
        return;
    entry->warn_signal = run->warn_signal;
    warn_at(engine, entry, at);
}

/* What its worker has not begun yet, or whose worker is not heard of yet just after a start, is
 * told a little later. */
static void warn(struct engine *engine, struct active *entry, int64_t now)
{
    const struct job_signal signal = {
        .id = active_id(entry), .number = entry->warn_signal, .whom = SIGNAL_MAIN};
    if (entry->status.state == JOB_STATE_STARTING ||
        !pool_hears(engine->pool, entry->status.worker)) {
        warn_at(engine, entry, now + WARNED_AGAIN_US);
        return;
    }
    entry->warn_at = 0;
    pool_signal(engine->pool, entry->status.worker, &signal);
}

static void warnings_due(struct engine *engine, int64_t now)
{
    if (engine->warn_at == 0 || engine->warn_at > now)
        return;
    engine->warn_at = 0;
    for (struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        if (entry->warn_at > now)
            warn_at(engine, entry, entry->warn_at);
        else if (entry->warn_at != 0)
            warn(engine, entry, now);
    }
}

/* ---- the end ---- */

static void end_waiting(struct engine *engine, const struct job *job, int64_t at)
{
    char reason[100], time[32];
    enum job_state state;
    struct error err;
    format_time(at, time, sizeof(time));
    (void)snprintf(reason, sizeof(reason), "its deadline (%s) passed%s", time,
                   job_is_array(job) ? "" : " before it could start");
    if (engine_cancel(engine, job->id, -1, reason, &state, &err) < 0)
        engine_break(engine, &err);
}

/* What its worker says of its end is understood by this (engine_end_of_deadline). */
static void stop_running(struct engine *engine, struct active *entry, int64_t at)
{
    entry->deadline_passed = at;
    engine_stop_active(engine, entry, engine->options.stop_grace_ms);
}

void engine_deadlines_due(struct engine *engine, int64_t now)
{
    const uint64_t begun = engine_work(engine);
    struct deadline deadline;
    warnings_due(engine, now);
    for (uint64_t count = 0; count + engine_work(engine) - begun < ENDED_A_TURN &&
                             !engine->broken && deadlines_take(&engine->deadlines, now, &deadline);
         count++) {
        const struct job *job = jobset_find(engine->jobs, deadline.job);
        if (job == NULL)
            continue;
        if (job_is_array(job) || job_state_of(job) == JOB_STATE_PENDING)
            end_waiting(engine, job, deadline.at);
        else
            stop_running(engine, active_find(engine->active, job->id), deadline.at);
    }
    engine->overdue = deadlines_due(&engine->deadlines, now);
    engine->ended_for_starts = 0;
}

bool engine_may_start(struct engine *engine, const struct job *job, bool *ret_ended)
{
    struct condition condition = {0};
    struct error err;
    *ret_ended = false;
    if (!engine->overdue)
        return true;
    if (condition_rows_load(engine->db, job->id, &condition, &err) < 0) {
        engine_break(engine, &err);
        return false;
    }
    if (condition.deadline_at == 0 || condition.deadline_at > clock_wall_us())
        return true;
    *ret_ended = engine->ended_for_starts < ENDED_FOR_STARTS;
    if (*ret_ended) {
        const uint64_t begun = engine_work(engine);
        end_waiting(engine, job, condition.deadline_at);
        engine->ended_for_starts += 1 + engine_work(engine) - begun;
    }
    return false;
}

bool engine_end_of_deadline(struct active *entry)
{
    struct outcome *outcome = &entry->status.outcome;
    char time[32];
    if (entry->deadline_passed == 0 || entry->status.cancelling ||
        outcome->class != OUTCOME_CANCELLED)
        return false;
    format_time(entry->deadline_passed, time, sizeof(time));
    outcome->class = OUTCOME_TIMEOUT;
    (void)snprintf(outcome->message, sizeof(outcome->message), "its deadline (%s) passed", time);
    return true;
}
