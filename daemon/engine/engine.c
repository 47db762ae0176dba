#include "daemon/engine/engine.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/gpu_places.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/live.h"
#include "daemon/engine/schedule_turns.h"
#include "daemon/engine/values.h"
#include "daemon/resources/disk.h"
#include "daemon/store/last_ids.h"
#include "daemon/store/machine_part_rows.h"
#include "daemon/store/machine_rows.h"
#include "daemon/store/number_rows.h"
#include "daemon/store/task_rows.h"

#include <string.h>

void engine_break(struct engine *engine, const struct error *err)
{
    if (engine->broken)
        return;
    log_error("the store refused a write, and nothing of this turn is said: %s", err->text);
    engine->broken = true;
    engine->broken_by = *err;
}

void engine_move(struct engine *engine, struct job *job, enum job_event event)
{
    enum job_state from = job_state_of(job);
    if (jobset_move(engine->jobs, job, event, clock_wall_us()) == 0)
        return;
    struct error err;
    (void)error_set(&err, ERROR_INTERNAL, "job %llu: %s is not allowed while %s",
                    (unsigned long long)job->id, job_event_word(event), job_state_word(from));
    engine_break(engine, &err);
}

void engine_remove(struct engine *engine, struct job *job)
{
    engine_drop_condition(engine, job);
    engine_breaker_left(engine, job);
    engine_drop_estimate(engine, job);
    task_counts_drop(&engine->tasks, job->id);
    jobset_remove(engine->jobs, job);
}

void engine_step(struct engine *engine, struct active *entry, enum job_event event)
{
    struct job_status *status = &entry->status;
    if (!status->is_task) {
        struct job *job = jobset_find(engine->jobs, status->id);
        engine_move(engine, job, event);
        status->state = job_state_of(job);
        return;
    }
    int next = job_state_next(status->state, event);
    if (next >= 0) {
        status->state = (enum job_state)next;
        return;
    }
    struct error err;
    (void)error_set(&err, ERROR_INTERNAL, "task %llu_%llu: %s is not allowed while %s",
                    (unsigned long long)status->id, (unsigned long long)status->index,
                    job_event_word(event), job_state_word(status->state));
    engine_break(engine, &err);
}

void engine_store_status(struct engine *engine, const struct active *entry)
{
    struct error err;
    if (engine->broken)
        return;
    int result = entry->status.is_task ? task_rows_put(engine->db, &entry->status, &err)
                                       : job_rows_update(engine->db, &entry->status, &err);
    if (result < 0)
        engine_break(engine, &err);
}

void engine_tell(struct engine *engine, const struct job *job, const struct job_status *status,
                 enum bus_kind kind)
{
    struct bus_event event = {.at = clock_wall_us(),
                              .job = job->id,
                              .is_task = status->is_task,
                              .index = status->index,
                              .uid = job->uid,
                              .attempt = status->attempt,
                              .kind = kind,
                              .state = status->state,
                              .exit_code = -1};
    if (kind == BUS_ENDED) {
        event.class = status->outcome.class;
        event.exit_code = status->outcome.exit_code;
        event.signal = status->outcome.signal;
        if (!status->is_task)
            schedules_run_ended(engine, job, status);
    }
    bus_add(engine->bus, event);
    if (kind == BUS_STARTED || kind == BUS_ENDED)
        engine_note(engine, status);
}

struct engine *engine_new(struct event_base *base, struct db *db,
                          const struct engine_options *options, struct error *err)
{
    int64_t life = 0;
    int64_t seen_at = 0;
    if (number_rows_check(db, err) < 0 || last_ids_check(db, err) < 0 ||
        number_rows_get(db, "seen_at", &seen_at, err) < 0 ||
        number_rows_get(db, "life", &life, err) < 0 ||
        number_rows_set(db, "life", life + 1, err) < 0)
        return NULL;
    struct engine *engine = xcalloc(1, sizeof(*engine));
    const struct pool_options pool_options = {.state_dir = options->state_dir,
                                              .worker_binary = options->worker_binary,
                                              .watch_ms = options->watch_ms,
                                              .prefetch = options->prefetch,
                                              .batch_target_us = options->batch_target_us};
    engine->options = *options;
    engine->db = db;
    engine->disk = disk_new(options->state_dir, options->disk_reserve_bytes);
    engine->scheduler = scheduler_new(&options->scheduler);
    engine->started_at = clock_wall_us();
    engine->seen_at = seen_at;
    memcpy(engine->gate.admission.marks, options->marks, sizeof(options->marks));
    engine_set_shares(engine);
    engine->jobs = jobset_new(engine->scheduler);
    engine_begin_learning(engine, base);
    removals_begin(engine, base);
    reports_begin(engine, base);
    engine_begin_breakers(engine);
    engine->waits = dependency_graph_new();
    engine_begin_volumes(engine);
    engine->bus = bus_new((uint64_t)life + 1, options->event_backlog);
    engine->pool = pool_new(base, &pool_options, &engine_pool_events, engine);
    if (engine_begin_scaling(engine, err) < 0 || engine_load_admission(engine, err) < 0 ||
        gpu_places_load(engine, err) < 0 || engine_charge_past(engine, err) < 0 ||
        schedules_load(engine, err) < 0 || engine_restore(engine, err) < 0 ||
        (options->machine_us == 0 &&
         (machine_rows_clear(db, err) < 0 || machine_part_rows_clear(db, err) < 0))) {
        engine_free(engine);
        return NULL;
    }
    return engine;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    while (engine->forget != NULL) {
        struct pending_forget *entry = engine->forget;
        engine->forget = entry->next;
        free(entry);
    }
    disk_free(engine->disk);
    pool_free(engine->pool);
    bus_free(engine->bus);
    active_free_all(&engine->active);
    arrays_free(engine);
    task_counts_done(&engine->tasks);
    engine_values_free(engine);
    schedules_free(engine);
    statistics_free(&engine->statistics);
    removals_free(engine);
    reports_end(engine);
    engine_end_volumes(engine);
    alarms_done(&engine->begins);
    alarms_done(&engine->backoffs);
    deadlines_done(&engine->deadlines);
    engine_end_learning(engine);
    engine_end_breakers(engine);
    engine_queues_free(engine);
    dependency_graph_free(engine->waits);
    array_links_done(&engine->links);
    free(engine->notices);
    jobset_free(engine->jobs);
    scheduler_free(engine->scheduler);
    free(engine);
}

const char *engine_progress(const struct engine *engine, const struct attempt_id *id)
{
    const struct active *entry = active_find_attempt(engine->active, id);
    return entry == NULL ? NULL : entry->progress;
}

const char *engine_preview(const struct engine *engine, const struct attempt_id *id)
{
    const struct active *entry = active_find_attempt(engine->active, id);
    return entry == NULL ? NULL : entry->preview;
}

const struct job_usage *engine_usage(const struct engine *engine, const struct attempt_id *id,
                                     int64_t *ret_at)
{
    const struct active *entry = active_find_attempt(engine->active, id);
    if (entry == NULL || entry->used_at == 0)
        return NULL;
    *ret_at = entry->used_at;
    return &entry->usage;
}

bool engine_array_live(const struct engine *engine, uint64_t id, struct array_progress *ret_tasks,
                       uint64_t *ret_active)
{
    const struct array *array = arrays_live(engine, id);
    if (array == NULL)
        return false;
    *ret_tasks = array->status.tasks;
    *ret_active = array->active;
    return true;
}

bool engine_array_limited(const struct engine *engine, uint64_t id)
{
    const struct array *array = arrays_live(engine, id);
    return array != NULL && array->spec.limit > 0 && array->active >= array->spec.limit &&
           array_waiting(array) > 0;
}

void engine_committed(struct engine *engine)
{
    disk_committed(engine->disk);
    bus_publish(engine->bus);
    pool_flush(engine->pool);
    while (engine->forget != NULL) {
        struct pending_forget *entry = engine->forget;
        engine->forget = entry->next;
        pool_forget(engine->pool, entry->worker);
        free(entry);
    }
}

/* So much is a unit: rows of an array that are read, jobs that a search for a cycle looks at. */
#define ROWS_A_UNIT 25
#define VISITS_A_UNIT 200

uint64_t engine_work(const struct engine *engine)
{
    return engine->rows_done / ROWS_A_UNIT +
           dependency_graph_visited(engine->waits) / VISITS_A_UNIT;
}

bool engine_unfinished(const struct engine *engine)
{
    return engine->overdue || engine_breakers_unfinished(engine) || engine->leaving ||
           removals_unfinished(engine) || engine_backoffs_unfinished(engine) ||
           engine->cancels_left || engine_volumes_unfinished(engine) ||
           engine->notice_first < engine->notice_count || array_links_unfinished(&engine->links);
}

bool engine_disk_low(const struct engine *engine)
{
    return disk_low(engine->disk);
}

uint64_t engine_disk_free_bytes(const struct engine *engine)
{
    return disk_free_bytes(engine->disk);
}

const struct jobset *engine_jobs(const struct engine *engine)
{
    return engine->jobs;
}

const struct estimates *engine_estimates(const struct engine *engine)
{
    return engine->learning.estimates;
}

const struct scheduler *engine_scheduler(const struct engine *engine)
{
    return engine->scheduler;
}

struct pool *engine_pool(struct engine *engine)
{
    return engine->pool;
}

struct bus *engine_bus(struct engine *engine)
{
    return engine->bus;
}

struct db *engine_db(struct engine *engine)
{
    return engine->db;
}

const struct engine_options *engine_limits(const struct engine *engine)
{
    return &engine->options;
}

int engine_sound(const struct engine *engine, struct error *err)
{
    if (!engine->broken)
        return 0;
    *err = engine->broken_by;
    return -1;
}
