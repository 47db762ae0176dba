/* Deadlines: a job that has not ended by its deadline is ended. One that waits is cancelled at
 * once; one that runs is stopped as for a timeout, and is not tried again. Looked at each turn, so
 * many a turn that others are served in between, and again at the start of the daemon, so a
 * deadline that passed meanwhile counts then. What is left for the next turn does not start.
 *
 * A job that is to be warned of the end of its time (--timeout-signal) is warned of its deadline as
 * well: once, if it runs then and batchd is there. */
#include "common/clock.h"
#include "common/log.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"

#include <stdio.h>
#include <time.h>

/* Each takes two or three statements, some 12 us, and what engine_work counts. */
#define ENDED_A_TURN 1000
#define ENDED_FOR_STARTS 100
#define WARNED_A_TURN 100
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

/* Of its run record; 0 when it wants none. */
static int load_warning(struct engine *engine, uint64_t job, uint64_t *ret_before_ms)
{
    struct job_row row;
    struct job_run run;
    struct record record;
    struct error err;
    size_t used;
    int number = 0;
    if (job_rows_load(engine->db, job, &row, &err) < 0) {
        engine_break(engine, &err);
        return 0;
    }
    if (record_parse(row.facts.run, row.facts.run_bytes, &record, &used) == RECORD_OK &&
        get_run(&record, &run) == 0) {
        number = (int)run.warn_signal;
        *ret_before_ms = run.warn_ms;
        job_run_done(&run);
    }
    job_row_done(&row);
    return number;
}

void engine_watch_warning(struct engine *engine, uint64_t job, int64_t deadline_at, int64_t now)
{
    uint64_t before_ms = 0;
    if (deadline_at <= now || load_warning(engine, job, &before_ms) == 0)
        return;
    const struct deadline warning = {.at = deadline_at - (int64_t)before_ms * US_PER_MS,
                                     .job = job};
    if (warning.at > now)
        deadlines_add(&engine->warnings, &warning, is_open, engine);
}

/* Its worker may not be heard of yet, just after a start: then it is told a little later. */
static void warn(struct engine *engine, uint64_t job, int64_t now)
{
    struct error err;
    uint64_t before_ms, count;
    enum job_state state;
    struct interrupt order = {.kind = INTERRUPT_SIGNAL, .whom = SIGNAL_MAIN, .index = -1};
    if (jobset_find(engine->jobs, job) == NULL)
        return;
    order.number = load_warning(engine, job, &before_ms);
    if (order.number == 0 || engine_interrupt(engine, job, &order, &count, &state, &err) == 0)
        return;
    const struct deadline later = {.at = now + WARNED_AGAIN_US, .job = job};
    if (err.code == ERROR_BUSY)
        deadlines_add(&engine->warnings, &later, is_open, engine);
    else
        log_debug("no warning of the deadline: %s", err.text);
}

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
    for (unsigned count = 0; count < WARNED_A_TURN && !engine->broken &&
                             deadlines_take(&engine->warnings, now, &deadline);
         count++)
        warn(engine, deadline.job, now);
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
