#include "daemon/engine/engine.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/internal.h"
#include "daemon/resources/disk.h"
#include "daemon/store/task_rows.h"
#include "daemon/store/worker_rows.h"

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
    if (jobset_move(engine->jobs, job, event) == 0)
        return;
    struct error err;
    (void)error_set(&err, ERROR_INTERNAL, "job %llu: %s is not allowed while %s",
                    (unsigned long long)job->id, job_event_word(event), job_state_word(from));
    engine_break(engine, &err);
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
    }
    bus_add(engine->bus, event);
}

struct engine *engine_new(struct event_base *base, struct db *db,
                          const struct engine_options *options, struct error *err)
{
    int64_t life = 0;
    if (db_get_number(db, "life", &life, err) < 0 || db_set_number(db, "life", life + 1, err) < 0)
        return NULL;
    struct engine *engine = xcalloc(1, sizeof(*engine));
    const struct pool_options pool_options = {.state_dir = options->state_dir,
                                              .worker_binary = options->worker_binary,
                                              .prefetch = options->prefetch};
    engine->options = *options;
    engine->db = db;
    engine->disk = disk_new(options->state_dir, options->disk_reserve_bytes);
    engine->jobs = jobset_new(scheduler_policy_find("priority"));
    engine->bus = bus_new((uint64_t)life + 1, options->event_backlog);
    engine->pool = pool_new(base, &pool_options, &engine_pool_events, engine);
    if (engine_restore(engine, err) < 0) {
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
    jobset_free(engine->jobs);
    free(engine);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The promise behind a client key: same user, key and content is the same job. */
static bool same_content(const struct job_facts *a, const struct job_facts *b)
{
    return a->priority == b->priority && a->cpus == b->cpus && a->memory_bytes == b->memory_bytes &&
           a->max_attempts == b->max_attempts && a->rerun_if_lost == b->rerun_if_lost &&
           same_text(a->name, b->name) && same_text(a->type, b->type) &&
           same_text(a->tags, b->tags) && same_text(a->array, b->array) &&
           a->run_bytes == b->run_bytes && memcmp(a->run, b->run, a->run_bytes) == 0;
}

/* 1: *ret_id is the job with this key; 0: there is none; -1: error. */
static int find_by_key(struct engine *engine, const struct job_facts *facts, uint64_t *ret_id,
                       struct error *err)
{
    struct job_row row;
    if (facts->key == NULL)
        return 0;
    if (job_rows_find_key(engine->db, facts->uid, facts->key, ret_id, err) < 0)
        return -1;
    if (*ret_id == 0)
        return 0;
    if (job_rows_load(engine->db, *ret_id, &row, err) < 0)
        return -1;
    bool same = same_content(facts, &row.facts);
    job_row_done(&row);
    if (same)
        return 1;
    return error_set(err, ERROR_CONFLICT, "key \"%.80s\" belongs to job %llu, which is another",
                     facts->key, (unsigned long long)*ret_id);
}

/* The row is there: the job begins to wait. */
static int add_submitted(struct engine *engine, const struct job_facts *facts, struct error *err)
{
    const struct job job = {
        .id = facts->id, .submitted_at = facts->submitted_at, .uid = facts->uid};
    const struct job_status status = {
        .id = facts->id, .state = JOB_STATE_PENDING, .outcome = {.exit_code = -1}};
    enum jobset_kind kind = facts->array == NULL ? JOBSET_PLAIN : JOBSET_ARRAY;
    const struct job *mine =
        jobset_add(engine->jobs, &job, kind, JOB_STATE_PENDING, facts->priority);
    if (facts->array != NULL && arrays_add(engine, &status, facts->array, err) < 0) {
        engine_break(engine, err); /* it was checked when it was decoded */
        return -1;
    }
    if (facts->array != NULL)
        array_requeue(engine, arrays_find(engine, facts->id));
    engine_tell(engine, mine, &status, BUS_SUBMITTED);
    return 0;
}

int engine_submit(struct engine *engine, struct job_facts *facts, uint64_t *ret_id,
                  bool *ret_existing, struct error *err)
{
    *ret_id = 0;
    int found = find_by_key(engine, facts, ret_id, err);
    *ret_existing = found > 0;
    if (found != 0)
        return found < 0 ? -1 : 0;
    size_t waiting = jobset_waiting_of(engine->jobs, facts->uid);
    if (waiting >= engine->options.queue_limit_per_user)
        return error_set(err, ERROR_LIMIT,
                         "%zu jobs of yours are waiting; the limit is %llu "
                         "(daemon.queue_limit_per_user)",
                         waiting, (unsigned long long)engine->options.queue_limit_per_user);
    if (disk_accept(engine->disk, facts->run_bytes, err) < 0)
        return -1;
    facts->submitted_at = clock_wall_us();
    if (job_rows_insert(engine->db, facts, err) < 0) {
        engine_break(engine, err);
        return -1;
    }
    *ret_id = facts->id;
    return add_submitted(engine, facts, err);
}

static int cancel_waiting(struct engine *engine, struct job *job, const char *reason)
{
    struct job_row row;
    struct error err;
    if (job_rows_load(engine->db, job->id, &row, &err) < 0) {
        engine_break(engine, &err);
        return -1;
    }
    engine_move(engine, job, JOB_EVENT_CANCEL);
    row.status.state = JOB_STATE_CANCELLED;
    row.status.ended_at = clock_wall_us();
    row.status.outcome = (struct outcome){.class = OUTCOME_CANCELLED, .exit_code = -1};
    (void)snprintf(row.status.outcome.message, sizeof(row.status.outcome.message), "%s",
                   reason == NULL ? "" : reason);
    if (job_rows_update(engine->db, &row.status, &err) < 0)
        engine_break(engine, &err);
    engine_tell(engine, job, &row.status, BUS_ENDED);
    job_row_done(&row);
    jobset_remove(engine->jobs, job);
    return 0;
}

static enum job_state cancel_array(struct engine *engine, const struct job *job, uint64_t grace_ms)
{
    struct array *array = arrays_find(engine, job->id);
    bool idle = array->active == 0;
    if (!array->status.cancelling && !idle)
        engine_tell(engine, job, &array->status, BUS_CANCELLING);
    array_cancel(engine, array, grace_ms);
    return idle ? JOB_STATE_CANCELLED : job_state_of(job);
}

int engine_cancel(struct engine *engine, uint64_t id, int64_t grace_ms, const char *reason,
                  enum job_state *ret_state, struct error *err)
{
    struct job *job = jobset_find(engine->jobs, id);
    if (job == NULL)
        return error_set(err, ERROR_CONFLICT, "job %llu has already ended", (unsigned long long)id);
    uint64_t grace = grace_ms < 0 ? engine->options.stop_grace_ms : (uint64_t)grace_ms;
    if (job_is_array(job)) {
        *ret_state = cancel_array(engine, job, grace);
        return 0;
    }
    if (job_state_of(job) == JOB_STATE_PENDING) {
        *ret_state = JOB_STATE_CANCELLED;
        return cancel_waiting(engine, job, reason);
    }
    struct active *entry = active_find(engine->active, id);
    *ret_state = job_state_of(job);
    if (!entry->status.cancelling) {
        entry->status.cancelling = true;
        engine_store_status(engine, entry);
        engine_tell(engine, job, &entry->status, BUS_CANCELLING);
    }
    engine_stop_active(engine, entry, grace);
    return 0;
}

const char *engine_progress(const struct engine *engine, const struct attempt_id *id)
{
    const struct active *entry = active_find_attempt(engine->active, id);
    return entry == NULL ? NULL : entry->progress;
}

uint64_t engine_array_active(const struct engine *engine, uint64_t id)
{
    const struct array *array = arrays_find(engine, id);
    return array == NULL ? 0 : array->active;
}

/* One more worker for each job that finds none, up to the maximum. */
static void grow(struct engine *engine)
{
    uint64_t waiting = jobset_queued(engine->jobs) + arrays_more_startable(engine);
    size_t coming = pool_coming(engine->pool);
    struct error err;
    while (!engine->broken && pool_count(engine->pool) < engine->options.workers_max &&
           (coming < waiting || pool_count(engine->pool) < engine->options.workers_min)) {
        uint64_t worker;
        if (worker_rows_insert(engine->db, engine->options.boot_id, clock_wall_us(), &worker,
                               &err) < 0) {
            engine_break(engine, &err);
            return;
        }
        pool_spawn(engine->pool, worker);
        coming++;
    }
}

static void shrink(struct engine *engine)
{
    uint64_t idle =
        pool_idle_since(engine->pool, clock_monotonic_us() - engine->options.worker_idle_us);
    if (idle != 0 && pool_count(engine->pool) > engine->options.workers_min)
        pool_quit(engine->pool, idle);
}

void engine_schedule(struct engine *engine)
{
    struct job *job;
    uint64_t worker;
    while (!engine->broken && (job = jobset_first(engine->jobs)) != NULL &&
           (worker = pool_choose(engine->pool)) != 0)
        engine_start_job(engine, job, worker);
    arrays_store(engine);
    grow(engine);
    shrink(engine);
    disk_watch(engine->disk); /* may make room for the commit that follows */
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
