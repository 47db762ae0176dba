/* What the files of the pool share; nobody else includes this. */
#ifndef BATCHD_DAEMON_EXEC_POOL_WORKERS_H
#define BATCHD_DAEMON_EXEC_POOL_WORKERS_H

#include "common/cpu_list.h"
#include "common/job_folders.h"
#include "daemon/core/job_kind.h"
#include "daemon/core/worker_facts.h"
#include "daemon/exec/pool_options.h"
#include "daemon/exec/replacement.h"

struct channel;
struct event;
struct spawner;

/* Asking the spawner about a dead worker that no spawner has swept. */
enum sweep { SWEEP_NOT_ASKED, SWEEP_ASKED, SWEEP_ANSWERED };

struct worker {
    struct pool *pool;
    struct worker *next;
    uint64_t id;
    enum worker_state state;
    bool told; /* the spawner has answered for it, or an earlier daemon made it */
    enum sweep sweep;
    uint32_t load;
    struct job_kind kind; /* of its jobs, when it has any */
    struct worker_facts facts;
    uint64_t done;          /* jobs, for this daemon */
    uint64_t ended, failed; /* jobs since it was made, as it says itself */
    uint32_t pid;           /* while it is introduced; else 0 */
    int64_t made_at;        /* monotonic; 0: by an earlier daemon */
    uint64_t spawner;       /* which of the pool's made it; 0: an earlier daemon's */
    int64_t idle_since;
    int64_t rest_until;     /* monotonic */
    uint64_t recent_run_us; /* moving average over about 8 jobs; 0: none yet */
    struct channel *channel;
    bool binds;               /* it has said that it can bind a job to processors */
    struct cpu_list bindable; /* to these; empty: to any */
    bool introduced; /* on this connection: until then nobody knows what it has been handed */
    struct event *retry;
};

struct pool {
    struct event_base *base;
    struct pool_options options;
    const struct pool_events *events;
    void *arg;
    struct spawner *spawner;
    uint64_t spawners; /* so many there have been, the one that there is included */
    uint64_t binds_told;
    struct worker *workers; /* newest first */
    struct replacement replacement;
    struct event *pause;        /* wakes the loop when the next may be made */
    struct job_folders folders; /* being removed; a count of 0: none */
};

struct worker *pool_find(const struct pool *pool, uint64_t id); /* NULL: it is not known */

/* In system mode the folders are the spawner's, and it has control groups. */
static inline bool pool_spawner_is_root(const struct pool *pool)
{
    return pool->options.worker_binary == NULL;
}

/* pool_folders.c: of a worker that is gone. */
void pool_remove_folder(struct pool *pool, uint64_t id);

#endif
