/* The workers, seen from the daemon: asks the spawner for them, connects, hands jobs over, notices
 * their death. It decides nothing about jobs: the engine does, by the callbacks. All that is sent
 * is held until pool_flush, after the commit.
 *
 * A worker's life: WANTED (asked for) -> READY (said hello) -> GONE (its connection closed; its
 * lock is watched until it is free, which proves the worker and its process tree dead) ->
 * forgotten. */
#ifndef BATCHD_DAEMON_EXEC_POOL_H
#define BATCHD_DAEMON_EXEC_POOL_H

#include "common/error.h"
#include "common/job_folders.h"
#include "common/worker_protocol.h"
#include "daemon/core/worker_facts.h"
#include "daemon/exec/pool_options.h"

struct event_base;
struct job_kind;
struct pool;

struct pool_events {
    void (*hello)(void *arg, uint64_t worker, const struct worker_hello *hello);
    void (*started)(void *arg, uint64_t worker, const struct job_started *started);
    void (*exited)(void *arg, uint64_t worker, const struct job_exit *end);
    void (*dropped)(void *arg, uint64_t worker, const struct job_dropped *dropped);
    void (*progress)(void *arg, uint64_t worker, const struct attempt_id *id, const void *data,
                     size_t bytes);
    void (*notes)(void *arg, const struct attempt_id *id, const struct job_notes *notes);
    void (*usage)(void *arg, const struct attempt_id *id, const struct job_usage *usage);
    /* The worker is dead and so is its tree; its log is final. The engine settles its jobs and then
     * calls pool_forget. `never_made`: the spawner refused it. */
    void (*gone)(void *arg, uint64_t worker, bool never_made);
    /* What became of the folders that pool_remove_jobs named. */
    void (*folders)(void *arg, const struct job_folders *folders);
};

struct pool_worker_view {
    uint64_t id;
    const char *state; /* a word: starting, idle, busy, draining, leaving, lost */
    uint32_t load;     /* jobs handed over and not yet ended */
    uint64_t ended;    /* jobs of it that ended */
    uint64_t failed;   /* and of these those that did not end well */
    uint32_t pid;      /* 0: it is not connected */
    struct worker_facts facts;
};

/* How many there are, of those that have not been told to leave and are not dead. */
struct pool_counts {
    uint32_t coming;  /* asked for, not ready yet */
    uint32_t idle;    /* can be handed a job now */
    uint32_t busy;    /* have one, or cannot be handed any now */
    uint32_t leaving; /* beside these: drained, and have a job */
};

/* What became of workers since this daemon started; those that were told to leave do not count. */
struct pool_health {
    uint64_t deaths;
    int64_t last_death_at, next_at; /* wall clock; 0: none has died; there is no pause */
    const char *last_death,
        *spawner; /* borrowed; which died how, and why there is no spawner; or NULL */
};

struct pool *pool_new(struct event_base *base, const struct pool_options *options,
                      const struct pool_events *events, void *arg);
void pool_free(struct pool *pool); /* closes connections; workers live on */

/* Workers are named by their row's id. A new one whose row is in this turn's transaction: the
 * spawner is told at pool_flush. */
void pool_spawn(struct pool *pool, uint64_t id, const struct worker_facts *facts);
/* A worker of an earlier daemon: connects to it, or finds it dead. */
void pool_adopt(struct pool *pool, uint64_t id, const struct worker_facts *facts);
/* Removes a gone worker and its folder. Call after the commit that settled its jobs. */
void pool_forget(struct pool *pool, uint64_t id);
/* Removes folders of workers that the pool does not know: a daemon was killed between that commit
 * and pool_forget, or a spawner before it removed one. Call when every worker of the store was
 * adopted. */
void pool_remove_unknown(struct pool *pool);

/* The spawner is to remove these folders of jobs, and is asked again should it die; one request at
 * a time. */
void pool_remove_jobs(struct pool *pool, const struct job_folders *folders);

/* A worker that has nothing to do, 0 when there is none. */
uint64_t pool_choose_idle(const struct pool *pool);
/* The same of those that can bind a job to processors; the others make way as the next. */
uint64_t pool_choose_binding(struct pool *pool);
/* True when it is let go, since it is of an earlier daemon or spawner and there is one that makes
 * another. */
bool pool_quit_older(struct pool *pool, uint64_t id);
/* Leaves in the list those processors that this one can bind a job to; or, of those that are of no
 * earlier one, the one that can bind to the most of them: all, and false, when none has said. */
void pool_keep_bindable(const struct pool *pool, uint64_t id, struct cpu_list *list);
bool pool_keep_most_bindable(const struct pool *pool, struct cpu_list *list);
/* How often workers have said which these are; and which spawner makes them, 1 at the start. */
uint64_t pool_binds_told(const struct pool *pool);
uint64_t pool_spawner(const struct pool *pool);
/* Each is to look which these are now. */
void pool_ask_bindable(struct pool *pool);
/* The busy worker that should be handed a job of this kind ahead of time: its jobs are of the same,
 * are short, and few of them wait there. 0 when there is none. */
uint64_t pool_choose_behind(const struct pool *pool, const struct job_kind *kind);
/* Whether there is such a worker, if need be with no room for one more now. */
bool pool_hands_on(const struct pool *pool, const struct job_kind *kind);
size_t pool_coming(const struct pool *pool); /* asked for, not ready yet, not drained */
void pool_count(const struct pool *pool, struct pool_counts *ret);
/* False while one is not to be made: they died one after the other (replacement.h). */
bool pool_may_make(const struct pool *pool);

/* Counts a job of this worker, of this kind, in; or one out. */
void pool_load(struct pool *pool, uint64_t id, const struct job_kind *kind);
void pool_unload(struct pool *pool, uint64_t id);
/* Gives the worker nothing for a while: it could not begin a job for want of something. */
void pool_rest(struct pool *pool, uint64_t id, uint32_t rest_ms);
/* It has ended a job: it does well. */
void pool_note_end(struct pool *pool, uint64_t id);
/* Tells how long a job took, which decides about prefetching. */
void pool_note_run(struct pool *pool, uint64_t id, uint64_t run_us);

void pool_run(struct pool *pool, uint64_t id, const struct job_run *run);
void pool_stop(struct pool *pool, uint64_t id, const struct job_stop *stop);
void pool_suspend(struct pool *pool, uint64_t id, const struct attempt_id *attempt);
void pool_resume(struct pool *pool, uint64_t id, const struct attempt_id *attempt);
void pool_signal(struct pool *pool, uint64_t id, const struct job_signal *signal);
/* Its process, to look at what is below it; never to signal. 0: it is not known. */
uint32_t pool_pid(const struct pool *pool, uint64_t id);
/* Whether it can be told something now: what it cannot is not sent later. */
bool pool_hears(const struct pool *pool, uint64_t id);
void pool_ack(struct pool *pool, uint64_t id, const struct attempt_id *attempt);
void pool_quit(struct pool *pool, uint64_t id);
/* It is handed nothing more, and quits when it has nothing left. */
void pool_drain(struct pool *pool, uint64_t id, enum worker_drain drain, int64_t now);
bool pool_drains(const struct pool *pool, uint64_t id);
/* Those that are drained and have no job any more are told to quit. */
void pool_quit_drained(struct pool *pool);
/* The one that has been idle longest, 0: none can be told to quit; and of those that have a job and
 * are not drained the one that was made last. */
uint64_t pool_longest_idle(const struct pool *pool);
uint64_t pool_newest_busy(const struct pool *pool);
/* What is known of it, NULL: there is none of this id. Borrowed. */
const struct worker_facts *pool_facts(const struct pool *pool, uint64_t id);
/* False: it is dead, or told to leave. */
bool pool_lives(const struct pool *pool, uint64_t id);

void pool_health(const struct pool *pool, struct pool_health *ret);
void pool_flush(struct pool *pool);

typedef void (*pool_view_fn)(void *arg, const struct pool_worker_view *worker);
void pool_each(const struct pool *pool, pool_view_fn each, void *arg);

#endif
