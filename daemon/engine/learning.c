/* How long jobs run, learned from those that ended well. (Of those that had too little memory is
 * learned how much they need.) What failed, was cancelled or lost teaches
 * nothing: it ended before its time, and to expect too little delays who waits behind a
 * reservation, where to expect too much only leaves a place unused. What was learned is stored in
 * the transaction of the ends that taught it, once a turn however many they were.
 *
 * Waiting jobs follow a published estimate in slices of the turns, which take at most 1/50 of the
 * time: a place in the queue is looked for anew only for jobs whose estimate changed, and a slice
 * is short, so that nobody waits for it, where one pass over a million jobs would take a second. */
#include "common/clock.h"
#include "common/timers.h"
#include "daemon/core/job_request.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/outlook.h"
#include "daemon/store/estimate_rows.h"

#define SLICE_JOBS 2048U /* at most about 4 ms, when all of them change */
#define SLICE_SHARE 50

int64_t engine_estimate_of(const struct engine *engine, const struct job *job,
                           enum estimate_source *ret_source)
{
    const struct learning *learning = &engine->learning;
    *ret_source = ESTIMATE_USER;
    if (job->class & JOB_OWN_ESTIMATE)
        return job->estimate_us;
    *ret_source = ESTIMATE_LEARNED;
    int64_t estimate_us = estimates_published(learning->estimates, job_class(job));
    if (estimate_us > 0)
        return estimate_us;
    estimate_us = estimates_published(learning->estimates, learning->queues[job->queue]);
    *ret_source = estimate_us > 0 ? ESTIMATE_QUEUE : ESTIMATE_NONE;
    return estimate_us;
}

static int64_t newest(void *arg, const struct job *job)
{
    enum estimate_source source;
    int64_t estimate_us = engine_estimate_of(arg, job, &source);
    return estimate_us > 0 ? estimate_us : ESTIMATE_UNKNOWN;
}

void engine_estimate(struct engine *engine, struct job *job, const char *name, const char *type,
                     int64_t own_us)
{
    struct learning *learning = &engine->learning;
    enum estimate_kind kind = type != NULL ? ESTIMATE_OF_TYPE : ESTIMATE_OF_NAME;
    job->class = estimates_take(learning->estimates, kind, job->uid, type != NULL ? type : name);
    job->estimate_us = own_us;
    if (own_us > 0)
        job->class |= JOB_OWN_ESTIMATE;
    else
        job->estimate_us = newest(engine, job);
}

void engine_drop_estimate(struct engine *engine, const struct job *job)
{
    estimates_drop(engine->learning.estimates, job_class(job));
}

void engine_learn(struct engine *engine, const struct job *job, const struct job_status *status)
{
    const struct learning *learning = &engine->learning;
    int64_t run_us = (int64_t)status->usage.run_us;
    int64_t predicted[ESTIMATE_SOURCE_COUNT] = {0};
    predicted[status->predicted_by] = status->predicted_us;
    estimates_learn(learning->estimates, job_class(job), run_us, predicted[ESTIMATE_LEARNED],
                    status->ended_at);
    estimates_learn(learning->estimates, learning->queues[job->queue], run_us,
                    predicted[ESTIMATE_QUEUE], status->ended_at);
}

/* Where there is no more, it needs at least what it had. */
void engine_learn_memory(struct engine *engine, const struct active *entry)
{
    const uint64_t asked = entry->asked.amount[RESOURCE_MEMORY];
    const uint64_t total = scheduler_total(engine->scheduler)->amount[RESOURCE_MEMORY];
    const uint64_t grown = job_memory_grown(asked, entry->status.usage.max_rss_bytes, total);
    const struct job *job = jobset_find(engine->jobs, entry->status.id);
    estimates_learn_memory(engine->learning.estimates, job_class(job), grown > 0 ? grown : asked,
                           entry->status.ended_at);
}

uint64_t engine_learned_memory(const struct engine *engine, const struct job_facts *facts)
{
    const struct estimates *estimates = engine->learning.estimates;
    enum estimate_kind kind = facts->type != NULL ? ESTIMATE_OF_TYPE : ESTIMATE_OF_NAME;
    const char *name = facts->type != NULL ? facts->type : facts->name;
    const uint64_t total = scheduler_total(engine->scheduler)->amount[RESOURCE_MEMORY];
    uint64_t learned =
        estimates_memory(estimates, estimates_find(estimates, kind, facts->uid, name));
    return learned < total ? learned : total;
}

void engine_spread_estimates(struct engine *engine, int64_t now)
{
    struct learning *learning = &engine->learning;
    int64_t began = clock_monotonic_us();
    if (learning->at == 0 && learning->spread == estimates_changes(learning->estimates))
        return;
    if (began < learning->pause_until) {
        timer_set(learning->slice, (uint64_t)((learning->pause_until - began) / US_PER_MS + 1));
        return;
    }
    if (learning->at == 0)
        learning->spread = estimates_changes(learning->estimates);
    jobset_estimate(engine->jobs, &learning->at, SLICE_JOBS, newest, engine, now);
    int64_t ended = clock_monotonic_us();
    learning->pause_until = ended + (ended - began) * SLICE_SHARE;
    if (learning->at != 0) /* there is a turn then */
        timer_set(learning->slice, (uint64_t)((ended - began) * SLICE_SHARE / US_PER_MS + 1));
}

static void on_slice(void *arg)
{
    (void)arg; /* the turn that follows does it */
}

void engine_begin_learning(struct engine *engine, struct event_base *base)
{
    engine->learning.estimates = estimates_new(ESTIMATES_MAX);
    engine->learning.slice = timer_new(base, on_slice, NULL);
}

void engine_end_learning(struct engine *engine)
{
    estimates_free(engine->learning.estimates);
    timer_free(engine->learning.slice);
}

/* ---- the store ---- */

static void restore(void *arg, const struct estimate *stored)
{
    estimates_restore(arg, stored);
}

int engine_load_estimates(struct engine *engine, struct error *err)
{
    return estimate_rows_each(engine->db, restore, engine->learning.estimates, err);
}

void engine_estimate_queue(struct engine *engine, uint8_t number, const char *name)
{
    struct learning *learning = &engine->learning;
    learning->queues[number] = estimates_take(learning->estimates, ESTIMATE_OF_QUEUE, 0, name);
}

void engine_drop_queue_estimate(struct engine *engine, uint8_t number)
{
    struct learning *learning = &engine->learning;
    estimates_drop(learning->estimates, learning->queues[number]);
    learning->queues[number] = 0;
    learning->spread = UINT64_MAX; /* its jobs are in another queue, with another mean */
}

void engine_store_estimates(struct engine *engine)
{
    struct estimates *estimates = engine->learning.estimates;
    struct estimate one;
    struct error err;
    while (!engine->broken && estimates_next_lost(estimates, &one)) {
        if (estimate_rows_delete(engine->db, &one, &err) < 0)
            engine_break(engine, &err);
    }
    while (!engine->broken && estimates_next_learned(estimates, &one)) {
        if (estimate_rows_put(engine->db, &one, &err) < 0)
            engine_break(engine, &err);
    }
}
