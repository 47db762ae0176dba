/* The start of the daemon: load, then act. Waiting jobs queue up; a job that a worker had waits for
 * that worker's word, or for the proof of its death (reports.c). After a reboot nothing can be
 * alive: the log on disk decides at once, and without an EXIT the attempt is lost. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "daemon/core/job_request.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/checkpoints.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/queues.h"
#include "daemon/engine/outcome.h"
#include "daemon/engine/schedule_turns.h"
#include "daemon/exec/worker_log.h"
#include "daemon/store/task_rows.h"
#include "daemon/store/value_rows.h"
#include "daemon/store/worker_rows.h"

#include <string.h>

/* An array is queued like a job; whether one of its tasks can start is looked at below for those
 * that have tasks at a worker, and all others wait. */
struct loading {
    struct engine *engine;
    /* Arrays to be made live, some maybe twice: tasks of them may be left to cancel, or so many
     * wait for another attempt that a turn should not have to read them. Owned. */
    uint64_t *live;
    size_t count;
    uint64_t array; /* of the tasks that are being read, and how many of them wait so far */
    uint64_t waiting;
};

static void add_live(struct loading *loading, uint64_t id)
{
    loading->live = xreallocarray(loading->live, loading->count + 1, sizeof(*loading->live));
    loading->live[loading->count++] = id;
}

static int add_open_job(void *arg, const struct job_open *open)
{
    struct loading *loading = arg;
    struct engine *engine = loading->engine;
    int64_t now = clock_wall_us();
    struct job known = *open->job;
    const struct job_facts *facts = open->facts;
    const struct resources wanted = job_facts_wanted(facts, &engine->options.names);
    known.queue = engine_queue_of_row(engine, facts->queue);
    engine_estimate(engine, &known, facts->name, facts->type, facts->estimate_us);
    struct job *job =
        jobset_add(engine->jobs, &known, &wanted,
                   facts->array != NULL ? JOBSET_ARRAY : JOBSET_PLAIN, open->status->state, now);
    schedules_found(engine, job, facts->key);
    if (facts->array != NULL) {
        const struct array_progress *tasks = &open->status->tasks;
        engine_count_tasks(engine, job->id, facts->array,
                           tasks->completed + tasks->failed + tasks->cancelled);
        jobset_queue(engine->jobs, job, true, now);
        if (open->status->cancelling)
            add_live(loading, job->id);
    } else if (open->status->state != JOB_STATE_PENDING) {
        struct active *entry = active_add(&engine->active, open->status);
        entry->status.result = NULL; /* set only at the end */
    } else {
        engine_watch_backoff(engine, job, engine_backoff_until(open->status));
    }
    return 0;
}

/* A task that waits is found again by its array; another one has a worker. Those of an array come
 * one after the other. */
static int add_open_task(void *arg, const struct job_status *status)
{
    struct loading *loading = arg;
    if (status->state != JOB_STATE_PENDING) {
        struct active *entry = active_add(&loading->engine->active, status);
        entry->status.result = NULL; /* set only at the end */
        return 0;
    }
    loading->waiting = loading->array == status->id ? loading->waiting + 1 : 1;
    loading->array = status->id;
    if (loading->waiting == ARRAY_AGAIN_KEPT &&
        jobset_find(loading->engine->jobs, status->id) != NULL)
        add_live(loading, status->id);
    return 0;
}

static int count_in(struct engine *engine, const struct job_row *row, struct error *err)
{
    const struct job *job = jobset_find(engine->jobs, row->facts.id);
    if (job == NULL || !job_is_array(job))
        return error_set(err, ERROR_DAMAGED, "a task has no unfinished array %llu",
                         (unsigned long long)row->facts.id);
    struct array *array = arrays_open(engine, row, err);
    if (array == NULL)
        return -1;
    array->active++;
    array_requeue(engine, array);
    return 0;
}

static bool has_holder(const struct engine *engine, uint64_t worker)
{
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        if (entry->status.worker == worker && entry->run != 0)
            return true;
    }
    return false;
}

/* In the order in which they came: new entries are put in front of the list. */
static void hold_oldest(struct engine *engine, struct active *entry, bool started)
{
    if (entry == NULL)
        return;
    hold_oldest(engine, entry->next, started);
    int64_t since = entry->status.started_at;
    if ((since > 0) == started && !has_holder(engine, entry->status.worker))
        engine_hold(engine, entry, started ? since : clock_wall_us());
}

/* Of the jobs of a worker the one that runs has the resources, or the first of those handed over;
 * all ask for the same (ahead.c). */
static void hold_resources(struct engine *engine)
{
    hold_oldest(engine, engine->active, true);
    hold_oldest(engine, engine->active, false);
}

static int load_warning(struct engine *engine, struct active *entry, const struct job_row *row,
                        struct error *err)
{
    struct job_run run = {0};
    if (engine_read_run(row, &run, err) < 0)
        return -1;
    engine_watch_warning(engine, entry, &run);
    entry->volumes = engine_volumes_of(engine, &run);
    job_run_done(&run);
    return 0;
}

/* What an active job's row says beside its status, and an active task's array. */
static int load_facts(struct engine *engine, struct error *err)
{
    for (struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        struct job_row row;
        if (job_rows_load(engine->db, entry->status.id, &row, err) < 0)
            return -1;
        entry->type = row.facts.type == NULL ? NULL : xstrdup(row.facts.type);
        entry->retry = row.facts.retry;
        int result = load_warning(engine, entry, &row, err);
        if (result == 0 && entry->status.is_task)
            result = count_in(engine, &row, err);
        row.facts.memory_bytes = job_memory_asked(&row.facts, &entry->status);
        entry->asked = job_facts_wanted(&row.facts, &engine->options.names);
        job_row_done(&row);
        if (result < 0)
            return -1;
    }
    hold_resources(engine);
    return 0;
}

static void add_condition(void *arg, const struct condition *condition)
{
    engine_apply_condition(arg, condition, clock_wall_us());
}

static int load_waiting(struct loading *loading, struct error *err)
{
    struct engine *engine = loading->engine;
    return engine_queues_adopt(engine, err) < 0 ||
                   task_rows_each_open(engine->db, add_open_task, loading, err) < 0 ||
                   condition_rows_each_open(engine->db, add_condition, engine, err) < 0 ||
                   engine_restore_depends(engine, err) < 0
               ? -1
               : 0;
}

/* An array that is being cancelled goes on to be. */
static int load_jobs(struct engine *engine, struct error *err)
{
    struct loading loading = {.engine = engine};
    int result = job_rows_each_open(engine->db, add_open_job, &loading, err);
    schedules_found_all(engine);
    if (result == 0)
        result = load_waiting(&loading, err);
    for (size_t i = 0; i < loading.count && result == 0; i++) {
        struct array *array = arrays_need(engine, loading.live[i]);
        result = array == NULL ? engine_sound(engine, err) : 0;
    }
    free(loading.live);
    return result < 0 ? -1 : load_facts(engine, err);
}

struct known_worker {
    struct known_worker *next;
    uint64_t id;
    bool this_boot;
    struct worker_facts facts;
};

struct worker_scan {
    const struct engine *engine;
    struct known_worker *list;
};

static int keep_worker(void *arg, const struct worker_row *row)
{
    struct worker_scan *scan = arg;
    struct known_worker *worker = xcalloc(1, sizeof(*worker));
    *worker =
        (struct known_worker){.next = scan->list,
                              .id = row->id,
                              .this_boot = strcmp(row->boot_id, scan->engine->options.boot_id) == 0,
                              .facts = row->facts};
    scan->list = worker;
    return 0;
}

/* It ended, or was lost, before the machine went down: a deadline that it was stopped for is in its
 * conditions only. */
static void find_deadline(struct engine *engine, struct active *entry)
{
    struct condition condition = {0};
    struct error err;
    if (entry->status.is_task)
        return;
    if (condition_rows_load(engine->db, entry->status.id, &condition, &err) < 0)
        engine_break(engine, &err);
    else if (condition.deadline_at > 0 && condition.deadline_at <= entry->status.ended_at)
        entry->deadline_passed = condition.deadline_at;
}

/* Nobody knows when it ended: it is counted until batchd last saw the machine run. */
static void lose(struct engine *engine, struct active *entry)
{
    struct job_status *status = &entry->status;
    outcome_lost(true, status);
    (void)snprintf(status->outcome.message, sizeof(status->outcome.message),
                   "the machine was restarted while it ran");
    status->ended_at = engine->seen_at > status->started_at ? engine->seen_at : status->started_at;
}

static void settle_after_reboot(struct engine *engine, const struct known_worker *known,
                                struct error *err)
{
    const uint64_t worker = known->id;
    struct worker_log *log = worker_log_load(engine->options.state_dir, worker, err);
    struct active *next;
    for (struct active *entry = engine->active; entry != NULL; entry = next) {
        struct job_started started;
        struct job_exit end;
        const struct attempt_id id = active_id(entry);
        next = entry->next;
        if (entry->status.worker != worker)
            continue;
        enum attempt_fact fact =
            log == NULL ? ATTEMPT_NEVER_STARTED : worker_log_attempt(log, &id, &started, &end);
        if (fact == ATTEMPT_STARTED)
            entry->status.started_at = started.started_at;
        if (fact == ATTEMPT_ENDED) {
            outcome_from_exit(&end, entry->type != NULL, &entry->status);
            engine_note_attempt(engine, &end.id, &end.notes);
        } else {
            lose(engine, entry);
        }
        find_deadline(engine, entry);
        engine_settle(engine, entry, true);
    }
    worker_log_free(log);
    if (worker_rows_delete(engine->db, worker, err) < 0)
        engine_break(engine, err);
    pool_adopt(engine->pool, worker,
               &known->facts); /* only so that its folder is removed after the commit */
    struct pending_forget *forget = xcalloc(1, sizeof(*forget));
    *forget = (struct pending_forget){.next = engine->forget, .worker = worker};
    engine->forget = forget;
}

/* A committed intent whose worker row is gone cannot be: the row outlives its jobs. Seen only in a
 * store put together by hand; the job is not run again by itself. */
static void settle_orphans(struct engine *engine, const struct known_worker *workers)
{
    struct active *next;
    for (struct active *entry = engine->active; entry != NULL; entry = next) {
        const struct known_worker *worker = workers;
        next = entry->next;
        while (worker != NULL && worker->id != entry->status.worker)
            worker = worker->next;
        if (worker != NULL)
            continue;
        outcome_lost(false, &entry->status);
        engine_settle(engine, entry, false);
    }
}

int engine_restore(struct engine *engine, struct error *err)
{
    struct worker_scan scan = {.engine = engine};
    if (value_rows_drop_unused(engine->db, err) < 0) /* of uploads that were broken off */
        return -1;
    if (engine_load_estimates(engine, err) < 0 || engine_load_breakers(engine, err) < 0 ||
        engine_queues_load(engine, err) < 0 || load_jobs(engine, err) < 0 ||
        worker_rows_each(engine->db, keep_worker, &scan, err) < 0)
        return -1;
    engine_recount_probes(engine);
    settle_orphans(engine, scan.list);
    while (scan.list != NULL) {
        struct known_worker *worker = scan.list;
        scan.list = worker->next;
        if (worker->this_boot)
            pool_adopt(engine->pool, worker->id, &worker->facts);
        else
            settle_after_reboot(engine, worker, err);
        free(worker);
    }
    arrays_end_turn(engine);
    engine_store_estimates(engine);
    engine_store_statistics(engine);
    engine_store_breakers(engine);
    engine_restore_turns(engine);
    pool_remove_unknown(engine->pool);
    log_info("restored %zu waiting and %zu started jobs",
             jobset_count(engine->jobs, JOB_STATE_PENDING),
             jobset_count(engine->jobs, JOB_STATE_STARTING) +
                 jobset_count(engine->jobs, JOB_STATE_RUNNING) +
                 jobset_count(engine->jobs, JOB_STATE_SUSPENDED));
    return engine_sound(engine, err);
}
