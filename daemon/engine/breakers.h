/* Circuit breakers as the engine has them: what is counted, what waits for them, what is stored.
 *
 * Each end of an attempt counts, also of one that is tried again, but for those that nobody of the
 * job's caused: lost, cancelled, or at its deadline. What could not be started at all counts: its
 * program is missing. Each job has the breaker of its owner and name (or type) and that of its
 * queue, and starts only when both allow it.
 *
 * A name that fails again and again has a breaker of its own; so of failures of the same name that
 * follow each other in a queue, the queue's breaker counts the first.
 *
 * Nothing that is refused ever starts: the job that the scheduler chose is asked for, and blocked
 * (JOB_BREAKER) in place of being started. That alone would leave those that were not chosen yet in
 * the way of others: so jobs are looked at as they come, and all in slices when one opens. */
#ifndef BATCHD_DAEMON_ENGINE_BREAKERS_H
#define BATCHD_DAEMON_ENGINE_BREAKERS_H

#include "common/error.h"
#include "daemon/core/breakers.h"

struct active;
struct engine;
struct job;

struct breaker_options {
    bool names, queues; /* which there are */
    struct breaker_rule rule;
};

struct breaking {
    struct breakers *set; /* owned */
    int64_t due_at;       /* when one of them changes next by itself */
    int64_t looked_at;    /* the last turn */
    uint64_t openings;    /* since the start, and those that all jobs have been told of */
    uint64_t told;
    uint64_t telling; /* those that they are being told of */
    uint32_t walk_at; /* how far that is; 0: at the beginning */
    bool releasing;   /* some go back to their queues */
    uint64_t begun;   /* engine_work as this turn began to let some go, and how many it has */
    uint32_t released;
    bool changed;     /* rows are to be written */
    uint32_t refused; /* choices of this turn */
    bool more;        /* too many of them: the next turn goes on */
};

void engine_begin_breakers(struct engine *engine);
void engine_end_breakers(struct engine *engine);
/* Before the jobs are loaded; and when they are. */
int engine_load_breakers(struct engine *engine, struct error *err);
void engine_recount_probes(struct engine *engine);
/* Before the round of each turn: what is due, what goes back to its queue, what is blocked. */
void engine_breakers_due(struct engine *engine, int64_t now);
bool engine_breakers_unfinished(const struct engine *engine);
void engine_store_breakers(struct engine *engine);

/* Of the job's owner and name (or type), and of its queue; NULL: there is none. */
struct breaker_entry *engine_breaker_of_name(const struct engine *engine, const struct job *job);
struct breaker_entry *engine_breaker_of_queue(const struct engine *engine, const struct job *job);
/* Its row is to be written; and it is in another state: what follows from that. */
void engine_breaker_touch(struct engine *engine, struct breaker_entry *entry);
void engine_breaker_changed(struct engine *engine, struct breaker_entry *entry);
/* The one that lets the job not start, or NULL. */
struct breaker_entry *engine_breaker_of(const struct engine *engine, const struct job *job);
/* Whether it waits for one, also while it is on its way back. */
bool engine_breaker_keeps(const struct engine *engine, const struct job *job);
/* False: it is blocked now. For one that begins to wait. */
bool engine_breaker_admits(struct engine *engine, struct job *job);
/* The same for one that was chosen: *ret_stop when the turn has refused enough. */
bool engine_breaker_lets_start(struct engine *engine, struct job *job, bool *ret_stop);
/* It is changed, and may have gone to another queue: engine_breaker_left was called before. */
void engine_breaker_recheck(struct engine *engine, struct job *job, int64_t now);
/* It waits for it no more: it is removed, or about to be changed. */
void engine_breaker_left(struct engine *engine, const struct job *job);
/* Whether it may be handed to a worker ahead of time: not when its kind failed lately, or may fail
 * for all that is known; and whether it may stay there. */
bool engine_breaker_allows_ahead(const struct engine *engine, const struct job *job);
bool engine_breaker_calm(const struct engine *engine, const struct job *job);

/* An attempt is handed to a worker; it has ended, its outcome is known; it waits again. */
void engine_breaker_started(struct engine *engine, const struct job *job, struct active *active);
void engine_breaker_ended(struct engine *engine, struct active *active);
/* After a restart: whether it is a probe. */
void engine_breaker_adopt(struct engine *engine, struct active *active);
void engine_breaker_returned(struct engine *engine, struct active *active);
/* The queue of this number is gone. */
void engine_breaker_queue_gone(struct engine *engine, uint8_t number);

/* ---- for those who look and order ---- */

const struct breakers *engine_breakers(const struct engine *engine);
/* Makes one where jobs of that name are known, or there is that queue. NULL: nobody knows the name,
 * or there is no room. */
struct breaker_entry *engine_breaker_make(struct engine *engine, enum estimate_kind kind,
                                          uint32_t uid, const char *name);
bool engine_breaker_known(const struct engine *engine, enum estimate_kind kind, uint32_t uid,
                          const char *name);
/* BREAKER_RESET, BREAKER_FORCE, BREAKER_DISABLE. */
void engine_breaker_order(struct engine *engine, struct breaker_entry *entry,
                          enum breaker_event order);
/* In a copy of the process, before a prediction: what waits for an open one waits for the time when
 * it is tried again, and is taken to go well from then on. */
void engine_breakers_as_begins(struct engine *engine);

#endif
