#include "daemon/engine/workers.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/queues.h"
#include "daemon/resources/monitor.h"
#include "daemon/store/number_rows.h"
#include "daemon/store/worker_rows.h"

/* What was ordered; a maximum of 0: nothing was. */
#define NUMBER_MIN "workers min"
#define NUMBER_MAX "workers max"
/* One that has its resources for longer than it was to run by this is not about to end. */
#define SOON_MAX_US (100 * US_PER_MS)

/* ---- what the scaler is told ---- */

static uint32_t count_soon(const struct engine *engine, int64_t now)
{
    uint32_t count = 0;
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        const struct job_status *status = &entry->status;
        count += entry->run != 0 && status->state == JOB_STATE_STARTING &&
                 status->predicted_us > 0 && status->predicted_us <= SCALER_START_US &&
                 now - entry->held_since < SOON_MAX_US &&
                 !pool_drains(engine->pool, status->worker);
    }
    return count;
}

static int64_t estimate_of(const struct job *job)
{
    return job == NULL || job->estimate_us == ESTIMATE_UNKNOWN ? -1 : job->estimate_us;
}

/* Each queue is a class, by the job that goes first in it; and so are the tasks of arrays, which
 * stand in their queues once. Returns how many there are. */
static size_t classes_of(const struct engine *engine, struct scaler_class *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < engine->queue_count; i++) {
        const struct queue *queue = scheduler_queue_at(engine->scheduler, engine->queues[i].number);
        if (queue_room(queue) > 0 && queue_count(queue) > 0)
            ret[count++] = (struct scaler_class){.waiting = queue_count(queue),
                                                 .estimate_us = estimate_of(queue_first(queue))};
    }
    ret[count] = (struct scaler_class){
        .waiting = arrays_more_startable(engine),
        .estimate_us = job_is_array(engine->unplaced) ? estimate_of(engine->unplaced) : -1};
    return count + 1;
}

static uint64_t waiting_in(const struct scaler_class *classes, size_t count)
{
    uint64_t waiting = 0;
    for (size_t i = 0; i < count; i++)
        waiting += classes[i].waiting;
    return waiting;
}

static double load_of(const struct engine *engine)
{
    const struct host_sample *sample = monitor_latest(engine->options.monitor);
    const uint64_t cpus = scheduler_total(engine->scheduler)->amount[RESOURCE_CPUS];
    return sample->load_known && cpus > 0 ? sample->load[0] / (double)cpus : -1;
}

/* What waits counts only when there is a job that fits and has no worker (schedule.c). */
static void put_waiting(const struct engine *engine, struct scaler_class *classes,
                        struct scaler_input *input)
{
    if (engine->unplaced == NULL)
        return;
    input->classes = classes;
    if (input->workers >= input->max) { /* there is one more, which is enough to know */
        classes[0] = (struct scaler_class){.waiting = 1, .estimate_us = -1};
        input->class_count = input->room = 1;
        return;
    }
    input->class_count = classes_of(engine, classes);
    input->room = scheduler_room_for(engine->scheduler, engine->unplaced,
                                     waiting_in(classes, input->class_count));
    input->soon = count_soon(engine, clock_wall_us());
}

/* Returns for how many jobs there could be workers now. */
static uint64_t decide(struct engine *engine)
{
    struct pool_counts counts;
    struct scaler_class classes[SCHEDULER_QUEUES + 1];
    pool_count(engine->pool, &counts);
    struct scaler_input input = {.now = clock_monotonic_us(),
                                 .min = engine->options.workers_min,
                                 .max = engine->options.workers_max,
                                 .busy = counts.busy,
                                 .workers = counts.busy + counts.idle + counts.coming,
                                 .leaving = counts.leaving,
                                 .open = admission_open(&engine->gate.admission),
                                 .load = load_of(engine)};
    /* Between the marks one job at a time starts (admission.c). */
    input.open = input.open || engine->unplaced != NULL;
    put_waiting(engine, classes, &input);
    scaler_step(&engine->scaling.scaler, &input, &engine->scaling.decision);
    engine->scaling.workers = input.workers;
    return input.room;
}

/* ---- what is done about it ---- */

static bool make_one(struct engine *engine, uint64_t waiting)
{
    const bool minimum = engine->scaling.workers < engine->options.workers_min;
    struct worker_row row = {.boot_id = engine->options.boot_id,
                             .facts = {.made_at = clock_wall_us(),
                                       .why = minimum ? WORKER_WHY_MINIMUM : WORKER_WHY_JOBS,
                                       .waiting = waiting}};
    struct error err;
    if (engine->broken || !pool_may_make(engine->pool))
        return false;
    if (worker_rows_insert(engine->db, &row, &err) < 0) {
        engine_break(engine, &err);
        return false;
    }
    pool_spawn(engine->pool, row.id, &row.facts);
    engine->scaling.workers++;
    return true;
}

static void drain(struct engine *engine, uint64_t id, enum worker_drain why)
{
    struct worker_row row = {.id = id, .boot_id = engine->options.boot_id};
    struct error err;
    pool_drain(engine->pool, id, why, clock_wall_us());
    row.facts = *pool_facts(engine->pool, id);
    if (!engine->broken && worker_rows_update(engine->db, &row, &err) < 0)
        engine_break(engine, &err);
    engine_ask_back_all(engine, id);
}

/* An idle one is told to quit; where there may be fewer one with a job is drained, beside those
 * that are already. False: there is none that can go now. */
static bool let_one_go(struct engine *engine)
{
    uint64_t id = pool_longest_idle(engine->pool);
    if (id != 0) {
        pool_quit(engine->pool, id);
        return true;
    }
    id = engine->scaling.workers > engine->options.workers_max ? pool_newest_busy(engine->pool) : 0;
    if (id != 0)
        drain(engine, id, WORKER_DRAIN_LIMIT);
    return id != 0;
}

void engine_scale(struct engine *engine)
{
    struct scaling *scaling = &engine->scaling;
    const uint64_t waiting = decide(engine);
    const struct scaler_decision *decision = &scaling->decision;
    while (scaling->workers < decision->needed && make_one(engine, waiting))
        continue;
    while (scaling->workers > decision->kept && let_one_go(engine))
        scaling->workers--;
    pool_quit_drained(engine->pool);
}

const struct scaling *engine_scaling(const struct engine *engine)
{
    return &engine->scaling;
}

/* What was let go by an order is not made anew because it would have been kept. */
uint32_t engine_workers_wanted(const struct engine *engine)
{
    const struct scaling *scaling = &engine->scaling;
    uint32_t kept = scaling->decision.kept;
    kept = scaling->workers < kept ? scaling->workers : kept;
    kept = scaling->decision.needed > kept ? scaling->decision.needed : kept;
    kept = kept > engine->options.workers_min ? kept : engine->options.workers_min; /* just set */
    return kept < engine->options.workers_max ? kept : engine->options.workers_max;
}

bool engine_worker_job(const struct engine *engine, uint64_t worker, struct worker_job *ret)
{
    const struct active *entry = engine->active;
    while (entry != NULL && (entry->status.worker != worker || entry->run == 0))
        entry = entry->next;
    if (entry == NULL)
        return false;
    *ret = (struct worker_job){.id = entry->status.id,
                               .index = entry->status.index,
                               .is_task = entry->status.is_task,
                               .attempt = entry->status.attempt,
                               .uid = jobset_find(engine->jobs, entry->status.id)->uid,
                               .started_at = entry->status.started_at};
    return true;
}

/* ---- orders ---- */

int engine_begin_scaling(struct engine *engine, struct error *err)
{
    int64_t min = 0, max = 0;
    engine->scaling = (struct scaling){.scaler = {.hold_us = engine->options.worker_idle_us},
                                       .min = engine->options.workers_min,
                                       .max = engine->options.workers_max};
    if (number_rows_get(engine->db, NUMBER_MIN, &min, err) < 0 ||
        number_rows_get(engine->db, NUMBER_MAX, &max, err) < 0)
        return -1;
    if (max == 0)
        return 0;
    if (max < 0 || max > (int64_t)SCALING_WORKERS_MAX || min < 0 || min > max)
        return error_set(err, ERROR_DAMAGED, "the store says from %lld to %lld workers",
                         (long long)min, (long long)max);
    engine->options.workers_min = (uint32_t)min;
    engine->options.workers_max = (uint32_t)max;
    engine->scaling.ordered = true;
    return 0;
}

static void store(struct engine *engine, uint32_t min, uint32_t max)
{
    struct error err;
    if (!engine->broken && (number_rows_set(engine->db, NUMBER_MIN, min, &err) < 0 ||
                            number_rows_set(engine->db, NUMBER_MAX, max, &err) < 0))
        engine_break(engine, &err);
}

void engine_set_workers(struct engine *engine, uint32_t min, uint32_t max)
{
    engine->options.workers_min = min;
    engine->options.workers_max = max;
    engine->scaling.ordered = true;
    store(engine, min, max);
    log_info("from now on there are from %u to %u workers", min, max);
}

void engine_reset_workers(struct engine *engine)
{
    engine_set_workers(engine, engine->scaling.min, engine->scaling.max);
    engine->scaling.ordered = false;
    store(engine, 0, 0);
}

int engine_drain_worker(struct engine *engine, uint64_t id, struct error *err)
{
    if (!pool_lives(engine->pool, id)) {
        (void)error_set_field(err, "id", "no worker %llu", (unsigned long long)id);
        err->code = ERROR_NOT_FOUND;
        return -1;
    }
    if (!pool_drains(engine->pool, id)) {
        drain(engine, id, WORKER_DRAIN_ORDER);
        log_info("worker %llu finishes its job and leaves", (unsigned long long)id);
    }
    return 0;
}
