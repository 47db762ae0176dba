/* What is counted of jobs (statistics.h). The rows of this minute are kept in memory, so that what
 * happens costs no reading; each that changed is written once a turn. */
#include "common/alloc.h"
#include "common/clock.h"
#include "daemon/core/meters.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/queues.h"
#include "daemon/store/attempt_rows.h"
#include "daemon/store/rollup_rows.h"

#include <stdlib.h>
#include <string.h>

struct rollup_entry {
    struct rollup_entry *next;
    struct rollup_key key; /* its texts are owned */
    struct rollup rollup;
    bool changed;
};

static void entry_free(struct rollup_entry *entry)
{
    free((char *)(uintptr_t)entry->key.queue);
    free((char *)(uintptr_t)entry->key.type);
    free(entry);
}

void statistics_free(struct statistics *statistics)
{
    while (statistics->entries != NULL) {
        struct rollup_entry *entry = statistics->entries;
        statistics->entries = entry->next;
        entry_free(entry);
    }
    machine_parts_done(&statistics->machine.parts);
}

static struct queue_meters *meters_of(const struct engine *engine, const struct job *job)
{
    return &engine->options.meters->queues[job->queue];
}

static void meter_ends(struct engine *engine, const struct job *job, enum meter_result result,
                       uint64_t count)
{
    meters_of(engine, job)->finished[result] += count;
    meters_user(engine->options.meters, job->uid)->finished[result] += count;
}

void engine_forget_counts(struct engine *engine, uint8_t queue)
{
    struct meters *meters = engine->options.meters;
    if (queue >= METER_QUEUES_ALONE) { /* what is told of several must not fall */
        queue_meters_merge(&meters->gone, &meters->queues[queue]);
        meters->has_gone = true;
    }
    meters->queues[queue] = (struct queue_meters){0};
    engine->statistics.oldest.found[queue] = engine->statistics.oldest.passing[queue] = 0;
}

static bool same(const struct rollup_key *a, const struct rollup_key *b)
{
    return a->minute == b->minute && a->uid == b->uid && strcmp(a->queue, b->queue) == 0 &&
           strcmp(a->type, b->type) == 0;
}

/* With what the store has of it. */
static struct rollup_entry *make(struct engine *engine, const struct rollup_key *key)
{
    struct rollup_entry *entry = xcalloc(1, sizeof(*entry));
    struct error err;
    entry->key = *key;
    entry->key.queue = xstrdup(key->queue);
    entry->key.type = xstrdup(key->type);
    entry->next = engine->statistics.entries;
    engine->statistics.entries = entry;
    if (!engine->broken && rollup_rows_load(engine->db, key, &entry->rollup, &err) < 0)
        engine_break(engine, &err);
    return entry;
}

/* It will be stored. The one that was asked for last is the first of the list: most often the next
 * one asks for the same. */
static struct rollup *rollup_of(struct engine *engine, const struct job *job, const char *type,
                                int64_t at)
{
    const struct rollup_key key = {.minute = at / ROLLUP_MINUTE_US,
                                   .uid = job->uid,
                                   .queue = engine_queue_number(engine, job->queue)->name,
                                   .type = type == NULL ? "" : type};
    struct rollup_entry **link = &engine->statistics.entries;
    while (*link != NULL && !same(&(*link)->key, &key))
        link = &(*link)->next;
    struct rollup_entry *entry = *link;
    if (entry == NULL) {
        entry = make(engine, &key);
    } else if (entry != engine->statistics.entries) {
        *link = entry->next;
        entry->next = engine->statistics.entries;
        engine->statistics.entries = entry;
    }
    entry->changed = true;
    return &entry->rollup;
}

/* ---- what happens ---- */

void engine_count_submit(struct engine *engine, const struct job_facts *facts)
{
    const struct job *job = jobset_find(engine->jobs, facts->id);
    const struct task_count *tasks =
        facts->array == NULL ? NULL : task_counts_find(&engine->tasks, facts->id);
    const uint64_t count = tasks == NULL ? 1 : tasks->total;
    struct rollup *rollup = rollup_of(engine, job, facts->type, facts->submitted_at);
    rollup->numbers[ROLLUP_SUBMITTED] += (int64_t)count;
    meters_of(engine, job)->submitted += count;
    meters_user(engine->options.meters, job->uid)->submitted += count;
}

/* From when on it waited for this start: since it could start at all, and since the attempt before
 * this one ended and its pause was over. */
static int64_t waits_since(struct engine *engine, const struct job *job,
                           const struct job_status *status)
{
    struct attempt_row last;
    struct error err;
    if (status->attempt < 2 || engine->broken)
        return job->since;
    if (attempt_rows_last(engine->db, status, &last, &err) < 0) {
        if (err.code != ERROR_DAMAGED) /* for a figure it is not worth to stop (backoff.c) */
            engine_break(engine, &err);
        return job->since;
    }
    int64_t back_at = last.status.ended_at + last.status.retry_us;
    return last.kind != ATTEMPT_UNKNOWN && back_at > job->since ? back_at : job->since;
}

void engine_count_start(struct engine *engine, const struct active *entry)
{
    const struct job_status *status = &entry->status;
    const struct job *job = jobset_find(engine->jobs, status->id);
    int64_t wait_us = status->started_at - waits_since(engine, job, status);
    struct rollup *rollup = rollup_of(engine, job, entry->type, status->started_at);
    wait_us = wait_us < 0 ? 0 : wait_us;
    rollup->numbers[ROLLUP_STARTED]++;
    rollup->numbers[ROLLUP_WAIT_US] += wait_us;
    histogram_add(&rollup->waits, wait_us);
    struct queue_meters *meters = meters_of(engine, job);
    meters->started++;
    buckets_add(&meters->waits, buckets_of_jobs, (double)wait_us / US_PER_SECOND);
}

void engine_count_retry(struct engine *engine, const struct active *entry)
{
    const struct job *job = jobset_find(engine->jobs, entry->status.id);
    rollup_of(engine, job, entry->type, entry->status.ended_at)->numbers[ROLLUP_RETRIED]++;
    meters_of(engine, job)->retried++;
}

/* Of an end. */
static void meter_run(struct queue_meters *meters, const struct usage *usage)
{
    meters->cpu_us += usage->user_us + usage->system_us;
    meters->output_bytes += usage->stdout_bytes + usage->stderr_bytes;
    meters->output_lost_bytes += usage->cut_bytes + usage->lost_bytes;
    meters->read_bytes += usage->read_bytes;
    meters->written_bytes += usage->written_bytes;
    buckets_add(&meters->runs, buckets_of_jobs, (double)usage->run_us / US_PER_SECOND);
}

void engine_count_end(struct engine *engine, const struct active *entry)
{
    const struct job_status *status = &entry->status;
    const struct job *job = jobset_find(engine->jobs, status->id);
    struct rollup *rollup = rollup_of(engine, job, entry->type, status->ended_at);
    int64_t *numbers = rollup->numbers;
    numbers[ROLLUP_COMPLETED] += status->state == JOB_STATE_COMPLETED;
    numbers[ROLLUP_FAILED] += status->state == JOB_STATE_FAILED;
    numbers[ROLLUP_CANCELLED] += status->state == JOB_STATE_CANCELLED && !status->is_task;
    if (status->state != JOB_STATE_CANCELLED || !status->is_task)
        meter_ends(engine, job, meter_result_of(status->state, status->outcome.class), 1);
    if (status->started_at == 0)
        return;
    meter_run(meters_of(engine, job), &status->usage);
    numbers[ROLLUP_RAN]++;
    numbers[ROLLUP_RUN_US] += (int64_t)status->usage.run_us;
    numbers[ROLLUP_CPU_US] += (int64_t)(status->usage.user_us + status->usage.system_us);
    histogram_add(&rollup->runs, (int64_t)status->usage.run_us);
}

void engine_count_cancels(struct engine *engine, const struct job *job, const char *type,
                          uint64_t count, int64_t at)
{
    if (count == 0)
        return;
    rollup_of(engine, job, type, at)->numbers[ROLLUP_CANCELLED] += (int64_t)count;
    meter_ends(engine, job, METER_CANCELLED, count);
}

/* ---- the end of the turn ---- */

/* Looked for once a minute; after a long stop there is much of it, and an hour of it goes at a
 * time. */
static void prune(struct engine *engine, int64_t minute)
{
    struct statistics *statistics = &engine->statistics;
    int64_t kept = engine->options.statistics_us / ROLLUP_MINUTE_US;
    struct error err;
    if (engine->broken || kept == 0 || (statistics->pruned_at == minute && !statistics->prune_more))
        return;
    if (rollup_rows_prune(engine->db, minute - kept, &statistics->prune_more, &err) < 0)
        engine_break(engine, &err);
    statistics->pruned_at = minute;
}

void engine_store_statistics(struct engine *engine)
{
    int64_t minute = clock_wall_us() / ROLLUP_MINUTE_US;
    struct rollup_entry **link = &engine->statistics.entries;
    struct error err;
    while (*link != NULL) {
        struct rollup_entry *entry = *link;
        if (entry->changed && !engine->broken &&
            rollup_rows_put(engine->db, &entry->key, &entry->rollup, &err) < 0)
            engine_break(engine, &err);
        entry->changed = false;
        if (entry->key.minute == minute) {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        entry_free(entry);
    }
    prune(engine, minute);
}
