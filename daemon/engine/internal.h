/* What the files of the engine share; nobody else includes this. */
#ifndef BATCHD_DAEMON_ENGINE_INTERNAL_H
#define BATCHD_DAEMON_ENGINE_INTERNAL_H

#include "daemon/engine/active.h"
#include "daemon/engine/gate.h"
#include "daemon/engine/breakers.h"
#include "daemon/engine/options.h"
#include "daemon/engine/removal.h"
#include "daemon/engine/reporting.h"
#include "daemon/engine/running.h"
#include "daemon/engine/statistics.h"
#include "daemon/engine/workers.h"
#include "daemon/engine/waiting.h"
#include "daemon/events/bus.h"
#include "daemon/core/alarms.h"
#include "daemon/core/array_links.h"
#include "daemon/core/deadlines.h"
#include "daemon/core/dependency_graph.h"
#include "daemon/core/jobset.h"
#include "daemon/core/task_counts.h"
#include "daemon/store/job_rows.h"

struct array;
struct upload;
struct named_queue;
struct schedules;
struct disk;

/* What is known of how long jobs run (learning.c). */
struct learning {
    struct estimates *estimates;       /* owned */
    uint32_t queues[SCHEDULER_QUEUES]; /* the class of each queue, by number; 0: none yet */
    struct timer *slice;
    uint64_t spread;     /* the changes that all jobs have been told, or are being told */
    uint32_t at;         /* how far it is in telling them; 0: at the beginning */
    int64_t pause_until; /* monotonic */
};

struct pending_forget {
    struct pending_forget *next;
    uint64_t worker;
};

struct engine {
    struct engine_options options;
    struct db *db;               /* borrowed */
    struct scheduler *scheduler; /* owned, as all below */
    struct jobset *jobs;
    struct disk *disk;
    struct gate gate;
    struct pool *pool;
    struct scaling scaling;
    struct bus *bus;
    struct active *active;
    struct array *arrays;
    struct task_counts tasks; /* of all unfinished arrays */
    struct upload *uploads;   /* values.c */
    struct learning learning;
    struct breaking breaking;
    int64_t started_at;
    bool usage_loaded;
    int64_t seen_at;            /* when a daemon last noted that it runs, with jobs; 0: never */
    struct named_queue *queues; /* sorted by name */
    size_t queue_count;
    bool leaving;        /* one of them is being removed, and its jobs go elsewhere */
    uint32_t leaving_at; /* how far that is (jobset_move_some) */
    char **displaced;    /* queues whose jobs the default queue takes; only while jobs are loaded */
    size_t displaced_count;
    int owed;                       /* of the scheduler, as it is stored */
    struct dependency_graph *waits; /* open dependencies */
    struct array_links links;       /* arrays that wait task by task */
    uint64_t rows_done;             /* counted by engine_work */
    struct notice *notices;         /* from notice_first on not yet followed, oldest first */
    size_t notice_first, notice_count, notice_room;
    struct deadlines deadlines;
    int64_t warn_at; /* no active job is to be warned of its deadline before; 0: none is at all */
    bool overdue;    /* deadlines have passed that are left for the next turn */
    uint64_t ended_for_starts; /* of this turn: overdue jobs that were to start, and their work */
    struct alarms begins;      /* jobs by the time before which they may not start */
    bool cancels_left;         /* arrays have tasks that are cancelled in the next turn */
    struct alarms backoffs;    /* and those that failed, by when they may again, monotonic */
    uint64_t put_off; /* of this turn: arrays that were to start, and all their tasks back off */
    struct removals removals;
    struct statistics statistics;
    struct schedules *schedules;   /* schedules.c */
    struct pending_forget *forget; /* settled in this turn: forgotten after its commit */
    struct unread_logs unread_logs;
    const struct job *unplaced; /* of this turn's round: it fits, and no worker is idle */
    uint64_t made_way_for;      /* ahead.c: the job that went first and waited, 0: none */
    bool broken;
    struct error broken_by; /* counts when broken */
};

/* What has been done since the start that depends on how large a job is, in units of some 20 us: it
 * comes on top of what each job costs when the work of a turn is bounded. */
uint64_t engine_work(const struct engine *engine);

/* The store refused a write: nothing more is said, the daemon ends. */
void engine_break(struct engine *engine, const struct error *err);

/* The only caller of jobset_move beside submit: moves the job, or breaks the engine when the table
 * does not allow it (a bug: the state was looked at before). */
void engine_move(struct engine *engine, struct job *job, enum job_event event);

/* The same for what a worker has: moves the job, or the array's task, and keeps entry->status. */
void engine_step(struct engine *engine, struct active *entry, enum job_event event);

/* Writes the row of an active job or task. */
void engine_store_status(struct engine *engine, const struct active *entry);

/* An event about the job or task of `status`, which belongs to `job`. */
void engine_tell(struct engine *engine, const struct job *job, const struct job_status *status,
                 enum bus_kind kind);

/* usage.c: for fair share, what users have; and what was used before this start, read the first
 * time that a queue asks for it. */
void engine_set_shares(struct engine *engine);
int engine_load_usage(struct engine *engine, struct error *err);
/* Now and then while jobs run, that they do goes into the turn's transaction: after a power loss
 * they are counted until then. */
void engine_note_seen(struct engine *engine, int64_t now);
/* Its user is charged for the time it ran, in the place of the time that it was seen to have its
 * resources: after a restart news come hours late. What ended before this start is in the store,
 * and charged once what was used is read from there. */
void engine_charge(struct engine *engine, struct active *entry, int64_t now);
/* What it was charged for since it had its resources is given back. */
void engine_discharge(struct engine *engine, struct active *entry, int64_t now);
/* restore.c */
int engine_restore(struct engine *engine, struct error *err);
/* queues.c: before any job is loaded; the queue of a stored job, made anew when the configuration
 * does not have it any more, or the default one when there are as many as there may be; and when
 * all jobs are loaded, their rows say so too. */
int engine_queues_load(struct engine *engine, struct error *err);
uint8_t engine_queue_of_row(struct engine *engine, const char *name);
int engine_queues_adopt(struct engine *engine, struct error *err);
/* Whose turn it is between queues: into the transaction when it changed; and back at a restart,
 * when the scheduler knows what runs. */
void engine_store_turns(struct engine *engine);
void engine_restore_turns(struct engine *engine);
/* The jobs of a queue that is being removed go on to another one, so many a turn. */
void engine_move_leaving(struct engine *engine);
void engine_queues_free(struct engine *engine);
/* The job has ended: it is removed, with all that is kept for it. */
void engine_remove(struct engine *engine, struct job *job);
/* learning.c. What was learned is loaded before the queues and the jobs. */
void engine_begin_learning(struct engine *engine, struct event_base *base);
void engine_end_learning(struct engine *engine);
int engine_load_estimates(struct engine *engine, struct error *err);
/* The queue of this number has this name from now on: it has a mean. */
void engine_estimate_queue(struct engine *engine, uint8_t number, const char *name);
void engine_drop_queue_estimate(struct engine *engine, uint8_t number);
/* Fills class and estimate of a job that is to be added, its queue being known; own_us is its
 * user's, or 0. To be dropped when the job is removed. */
void engine_estimate(struct engine *engine, struct job *job, const char *name, const char *type,
                     int64_t own_us);
void engine_drop_estimate(struct engine *engine, const struct job *job);
/* An attempt had too little memory. */
void engine_learn_memory(struct engine *engine, const struct active *entry);
/* A job, or a task of it, has ended well. */
void engine_learn(struct engine *engine, const struct job *job, const struct job_status *status);
/* Waiting jobs follow what was learned; and it is put into the turn's transaction. */
void engine_spread_estimates(struct engine *engine, int64_t now);
void engine_store_estimates(struct engine *engine);

#endif
