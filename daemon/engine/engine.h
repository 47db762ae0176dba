/* The engine: the only place where jobs change. Each call is one event on one job: update in memory
 * and in the open transaction, nothing else. What must follow (telling a worker, publishing) is
 * held by the pool and the bus until the turn's commit, so that nothing is said or started that a
 * crash can forget. Restart is the same code: load, then act. */
#ifndef BATCHD_DAEMON_ENGINE_ENGINE_H
#define BATCHD_DAEMON_ENGINE_ENGINE_H

#include "daemon/core/jobset.h"
#include "daemon/core/task_ranges.h"
#include "daemon/engine/options.h"
#include "daemon/events/bus.h"
#include "daemon/exec/pool.h"
#include "daemon/store/job_rows.h"

struct event_base;
struct engine;
struct estimates;

/* Which tasks of an array are to be cancelled, and what that did. */
struct cancel_order {
    const struct task_ranges *tasks;
    int64_t grace_ms;      /* < 0: the configured one */
    const char *reason;    /* may be NULL */
    bool dry_run, goes_on; /* only *ret is counted; what is being stopped is not told again */
};
struct cancelled_tasks {
    uint64_t cancelled, stopping; /* at once; by their worker, which is told */
    bool more; /* so many of them wait for another attempt that some are left for the next turn */
};

/* Reads the store: unfinished jobs are queued again or wait for the word of their workers, which
 * are connected to as the loop runs. NULL with err. `db` is borrowed. */
struct engine *engine_new(struct event_base *base, struct db *db,
                          const struct engine_options *options, struct error *err);
void engine_free(struct engine *engine);

/* A client's key, and what is asked for with it (api/request_digest.h; NULL: nobody knows). */
struct request_key {
    uint32_t uid;
    const char *text, *digest;
};
/* 1: *ret_id is the job that was asked for so before; 0: there is none of that key; -1:
 * ERROR_CONFLICT: another was (*ret_id says which job), or the store. */
int engine_find_key(struct engine *engine, const struct request_key *key, uint64_t *ret_id,
                    struct error *err);
/* *ret_id is the unfinished job that has what these facts are to be unique by, 0: there is none. */
int engine_find_unique(struct engine *engine, const struct job_facts *facts, uint64_t *ret_id,
                       struct error *err);
/* A new job, whose key no other has: facts->id. ERROR_CONFLICT: another has what it is to be unique
 * by. ERROR_LIMIT: the user has too many waiting. ERROR_BUSY: the disk is full. ERROR_DRAINING: its
 * queue takes no new jobs. facts->queue names one that there is. */
int engine_submit(struct engine *engine, struct job_facts *facts, struct error *err);

/* Cancels a job: at once while it waits, else its worker is told to stop it. grace_ms < 0: the
 * configured one. ERROR_CONFLICT: it has already ended. *ret_state is the state after. */
int engine_cancel(struct engine *engine, uint64_t id, int64_t grace_ms, const char *reason,
                  enum job_state *ret_state, struct error *err);

/* Cancels some tasks of an array: at once those that have no worker. Those that have ended are left
 * out: *ret says how many were not. ERROR_CONFLICT: all of it has ended. ERROR_LIMIT: it has been
 * cancelled in too many parts. */
int engine_cancel_tasks(struct engine *engine, uint64_t id, const struct cancel_order *order,
                        struct cancelled_tasks *ret, struct error *err);

/* The errors of engine_submit: nothing is changed. */
int engine_check_submit(struct engine *engine, const struct job_facts *facts, struct error *err);

/* What is to run again of a job that has ended. */
struct retry_order {
    const struct task_ranges *tasks; /* of an array; NULL: all of it */
    bool failed_only;
};
/* The facts of a retry of `old`, for engine_submit: they borrow from `old`, and *ret_array (owned;
 * NULL for a plain job) is their array. ERROR_CONFLICT: what is asked for has not ended, or nothing
 * of it failed. ERROR_INVALID: these tasks are too many ranges for an array. ERROR_NOT_FOUND: its
 * queue is gone. */
int engine_retry_facts(struct engine *engine, const struct job_row *old,
                       const struct retry_order *order, struct job_facts *ret, char **ret_array,
                       struct error *err);

/* Keeps a waiting job, or the tasks of an array that have not started, from starting until it is
 * released, which lets what failed start again, too, without waiting any longer; no-op when it is
 * so already, and with `dry_run`. ERROR_CONFLICT: it does not wait. */
int engine_hold_job(struct engine *engine, uint64_t id, bool dry_run, enum job_state *ret_state,
                    struct error *err);
int engine_release_job(struct engine *engine, uint64_t id, bool dry_run, enum job_state *ret_state,
                       struct error *err);

/* Jobs each of which waits for the next, the last for the first; the caller frees the ids. */
struct dependency_path {
    uint64_t *ids;
    size_t count;
};

/* What is asked of what runs. */
enum interrupt_kind { INTERRUPT_SUSPEND, INTERRUPT_RESUME, INTERRUPT_SIGNAL };
struct interrupt {
    enum interrupt_kind kind;
    int number; /* of a signal, as the next */
    enum signal_whom whom;
    int64_t index; /* of one task; < 0: the job, or all tasks of the array that run */
    bool dry_run;
};
/* A suspended job keeps its worker and its resources, and its time stands; no-op when it is so
 * already. *ret_count is for how many (tasks) it was, *ret_state the state of one of them after.
 * ERROR_CONFLICT: there is none that runs. ERROR_BUSY: a signal cannot be sent just now. */
int engine_interrupt(struct engine *engine, uint64_t id, const struct interrupt *order,
                     uint64_t *ret_count, enum job_state *ret_state, struct error *err);

/* What is changed of a waiting job, bits. */
enum job_edit_part {
    JOB_EDIT_QUEUE = 1,
    JOB_EDIT_PRIORITY = 2,
    JOB_EDIT_RESOURCES = 4,
    JOB_EDIT_LIMITS = 8, /* timeout, estimate, max_attempts, how it stands beside others */
    JOB_EDIT_BEGIN = 16,
    JOB_EDIT_DEPENDS = 32,
    JOB_EDIT_DRY_RUN = 64, /* nothing of it: it is only checked */
    JOB_EDIT_DEADLINE = 128,
    JOB_EDIT_TEXTS = 256, /* tags, cwd, stdin, checkpoint_signal */
    JOB_EDIT_NAME = 512,
};
/* The job has the facts of *facts from now on (job_rows_load with the changes; conditions that are
 * named), and edited_at. Of an array that has begun only queue, priority and limits may change.
 * ERROR_CONFLICT: it does not wait, or would for itself (*ret_path). No error changes anything. */
int engine_edit(struct engine *engine, struct job_facts *facts, unsigned parts,
                struct dependency_path *ret_path, struct error *err);

/* The newest progress and preview of a running processor job, JSON texts or NULL. Borrowed. */
const char *engine_progress(const struct engine *engine, const struct attempt_id *id);
const char *engine_preview(const struct engine *engine, const struct attempt_id *id);
/* Of an array with tasks at work, whose row is behind until the turn ends; false: it is right. */
bool engine_array_live(const struct engine *engine, uint64_t id, struct array_progress *ret_tasks,
                       uint64_t *ret_active);

/* How long an unfinished job is expected to run, and who says so; 0: nobody knows. */
int64_t engine_estimate_of(const struct engine *engine, const struct job *job,
                           enum estimate_source *ret_source);
/* When a job that waits for another attempt may start, by the wall clock; 0: it does not wait so.
 * Of an array: when the first of its tasks may, and nothing else of it can start. */
int64_t engine_backoff_at(const struct engine *engine, const struct job *job);
/* The same of a task of an array. */
int64_t engine_task_backoff_at(const struct engine *engine, const struct job_status *task);
/* Whether as many of its tasks have a worker as its %K allows, and more wait. */
bool engine_array_limited(const struct engine *engine, uint64_t id);
/* Whether it waits for another array task by task, and none of its tasks may start so far. */
bool engine_array_awaits(const struct engine *engine, const struct job *job);

/* Chooses what starts now, within this turn's transaction. Called once, at the end of the turn. */
void engine_schedule(struct engine *engine);
/* True when the turn left work that is there already: the next one is to come at once. */
bool engine_unfinished(const struct engine *engine);
/* After the commit: publishes and tells the workers. */
void engine_committed(struct engine *engine);

/* True while new jobs are refused for want of disk. */
bool engine_disk_low(const struct engine *engine);
uint64_t engine_disk_free_bytes(const struct engine *engine);
const struct jobset *engine_jobs(const struct engine *engine);
const struct estimates *engine_estimates(const struct engine *engine);
const struct scheduler *engine_scheduler(const struct engine *engine);
struct pool *engine_pool(struct engine *engine);
struct bus *engine_bus(struct engine *engine);
struct db *engine_db(struct engine *engine);
const struct engine_options *engine_limits(const struct engine *engine);
/* 0, or -1 with what happened when the store refused a write: nothing may be answered any more, and
 * this engine is of no further use. */
int engine_sound(const struct engine *engine, struct error *err);

#endif
