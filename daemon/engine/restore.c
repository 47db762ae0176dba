/* The start of the daemon: load, then act. Waiting jobs queue up; a job that a worker had waits for
 * that worker's word, or for the proof of its death (reports.c). After a reboot nothing can be
 * alive: the log on disk decides at once, and without an EXIT the attempt is lost. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/outcome.h"
#include "daemon/exec/worker_log.h"
#include "daemon/store/task_rows.h"
#include "daemon/store/worker_rows.h"

#include <string.h>

struct restoring {
    struct engine *engine;
    struct error err; /* set when a callback failed */
};

static int add_open_job(void *arg, const struct job_open *open)
{
    struct restoring *restoring = arg;
    struct engine *engine = restoring->engine;
    (void)jobset_add(engine->jobs, open->job, open->array == NULL ? JOBSET_PLAIN : JOBSET_ARRAY,
                     open->status->state, open->priority);
    if (open->array != NULL)
        return arrays_add(engine, open->status, open->array, &restoring->err);
    if (open->status->state != JOB_STATE_PENDING) {
        struct active *entry = active_add(&engine->active, open->status);
        entry->status.result = NULL; /* set only at the end */
    }
    return 0;
}

/* A task that waits goes back to its array; another one has a worker. */
static int add_open_task(void *arg, const struct job_status *status)
{
    struct restoring *restoring = arg;
    struct engine *engine = restoring->engine;
    struct array *array = arrays_find(engine, status->id);
    if (array == NULL)
        return error_set(&restoring->err, ERROR_DAMAGED, "task %llu_%llu has no unfinished array",
                         (unsigned long long)status->id, (unsigned long long)status->index);
    array->active++;
    if (status->state == JOB_STATE_PENDING) {
        array_put_back(engine, array, status->index);
    } else {
        struct active *entry = active_add(&engine->active, status);
        entry->status.result = NULL; /* set only at the end */
    }
    return 0;
}

static int load_jobs(struct engine *engine, struct error *err)
{
    struct restoring restoring = {.engine = engine};
    if (job_rows_each_open(engine->db, add_open_job, &restoring, err) < 0 ||
        task_rows_each_open(engine->db, add_open_task, &restoring, err) < 0)
        return -1;
    for (const struct array *array = engine->arrays; array != NULL; array = array->next)
        array_requeue(engine, array);
    if (restoring.err.code == ERROR_NONE)
        return 0;
    *err = restoring.err;
    return -1;
}

/* What an active job's row says beside its status. */
static int load_facts(struct engine *engine, struct error *err)
{
    for (struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        struct job_row row;
        if (job_rows_load(engine->db, entry->status.id, &row, err) < 0)
            return -1;
        entry->rerun_if_lost = row.facts.rerun_if_lost;
        entry->is_processor = row.facts.type != NULL;
        entry->max_attempts = row.facts.max_attempts;
        job_row_done(&row);
    }
    return 0;
}

struct known_worker {
    struct known_worker *next;
    uint64_t id;
    bool this_boot;
};

struct worker_scan {
    const struct engine *engine;
    struct known_worker *list;
};

static int keep_worker(void *arg, uint64_t id, const char *boot_id)
{
    struct worker_scan *scan = arg;
    struct known_worker *worker = xcalloc(1, sizeof(*worker));
    *worker =
        (struct known_worker){.next = scan->list,
                              .id = id,
                              .this_boot = strcmp(boot_id, scan->engine->options.boot_id) == 0};
    scan->list = worker;
    return 0;
}

static void settle_after_reboot(struct engine *engine, uint64_t worker, struct error *err)
{
    struct worker_log *log = worker_log_load(engine->options.state_dir, worker, err);
    struct active *next;
    for (struct active *entry = engine->active; entry != NULL; entry = next) {
        struct job_started started;
        struct job_exit end;
        const struct attempt_id id = active_id(entry);
        next = entry->next;
        if (entry->status.worker != worker)
            continue;
        if (log != NULL && worker_log_attempt(log, &id, &started, &end) == ATTEMPT_ENDED) {
            outcome_from_exit(&end, entry->is_processor, &entry->status);
        } else {
            outcome_lost(true, &entry->status);
            (void)snprintf(entry->status.outcome.message, sizeof(entry->status.outcome.message),
                           "the machine was restarted while it ran");
        }
        engine_settle(engine, entry, true);
    }
    worker_log_free(log);
    if (worker_rows_delete(engine->db, worker, err) < 0)
        engine_break(engine, err);
    pool_adopt(engine->pool, worker); /* only so that its folder is removed after the commit */
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
    if (load_jobs(engine, err) < 0 || load_facts(engine, err) < 0 ||
        worker_rows_each(engine->db, keep_worker, &scan, err) < 0)
        return -1;
    settle_orphans(engine, scan.list);
    while (scan.list != NULL) {
        struct known_worker *worker = scan.list;
        scan.list = worker->next;
        if (worker->this_boot)
            pool_adopt(engine->pool, worker->id);
        else
            settle_after_reboot(engine, worker->id, err);
        free(worker);
    }
    arrays_store(engine);
    pool_remove_unknown(engine->pool);
    log_info("restored %zu waiting and %zu started jobs",
             jobset_count(engine->jobs, JOB_STATE_PENDING),
             jobset_count(engine->jobs, JOB_STATE_STARTING) +
                 jobset_count(engine->jobs, JOB_STATE_RUNNING));
    return engine_sound(engine, err);
}
