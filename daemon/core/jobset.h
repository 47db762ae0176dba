/* All unfinished jobs of the daemon: a slab of 48-byte records, a hash from id to record, and a
 * count per state and user. jobset_move is the only place that changes a job's state; standing in
 * the scheduler's queue and the counts move with it. An array stands in the queue while one of its
 * tasks can start, whatever its own state: jobset_queue says so.
 *
 * Memory per waiting job: 48 bytes of slab, 20 to 40 in the tree of its queue (ready_set.c), 5 to
 * 11 of hash (4-byte slots, linear probing, 3/8 to 3/4 full): 73 to 99. With ageing or max_delay 16
 * to 32 more. A pointer returned here is valid until the job is removed: slabs never move. */
#ifndef BATCHD_DAEMON_CORE_JOBSET_H
#define BATCHD_DAEMON_CORE_JOBSET_H

#include "daemon/core/job.h"
#include "daemon/core/scheduler.h"

struct jobset;

/* The scheduler is borrowed for life. */
struct jobset *jobset_new(struct scheduler *scheduler);
void jobset_free(struct jobset *set);

enum jobset_kind { JOBSET_PLAIN, JOBSET_ARRAY };

/* Adds a job in the given state (new, or read back at start). The caller fills id, uid, level,
 * since and estimate_us of `job`. The id must be new. An array is not queued yet. `now` as for all
 * that may queue: the wall clock. */
struct job *jobset_add(struct jobset *set, const struct job *job, const struct resources *wanted,
                       enum jobset_kind kind, enum job_state state, int64_t now);
struct job *jobset_find(const struct jobset *set, uint64_t id); /* NULL: not here */

/* Moves a job by the table of job_state.h. 0, or -1 when the event is not allowed (nothing
 * changed). A job that reached a terminal state stays until jobset_remove. */
int jobset_move(struct jobset *set, struct job *job, enum job_event event, int64_t now);
void jobset_remove(struct jobset *set, struct job *job); /* terminal jobs only */

/* Puts an unfinished array into the queue, unless it is blocked, or takes it out. */
void jobset_queue(struct jobset *set, struct job *array, bool wanted, int64_t now);

/* Keeps a job out of the queue while it has at least one such block. A plain job is queued again
 * when the last one goes; for an array the caller asks jobset_queue. */
void jobset_block(struct jobset *set, struct job *job, enum job_block block);
void jobset_unblock(struct jobset *set, struct job *job, enum job_block block, int64_t now);
/* It counts as waiting since then. */
void jobset_set_since(struct jobset *set, struct job *job, int64_t since, int64_t now);

/* Looks at so many records from *at on and gives each unfinished job the estimate that
 * `estimate_of` says: one that waits changes its place. *at becomes where to go on, 0 when all were
 * looked at. */
typedef int64_t (*jobset_estimate_fn)(void *arg, const struct job *job);
void jobset_estimate(struct jobset *set, uint32_t *at, uint32_t looks,
                     jobset_estimate_fn estimate_of, void *arg, int64_t now);

/* Looks at so many records from *at on, *at as above. What is looked at may be blocked and queued,
 * not removed. */
void jobset_look(struct jobset *set, uint32_t *at, uint32_t looks,
                 void (*each)(void *arg, struct job *job), void *arg);

/* GPUs came or went: each is looked at (scheduler_review). */
void jobset_review(struct jobset *set, int64_t now);

/* It has the level, queue, class and estimate of `as`, and asks for `wanted`, from now on; one that
 * stood in its queue stands in the new place. The caller asks to queue what did not fit before. */
void jobset_change(struct jobset *set, struct job *job, const struct job *as,
                   const struct resources *wanted, int64_t now);
/* Jobs of one queue go to another one. */
struct jobset_move {
    uint8_t from, to;
    uint32_t at; /* where to go on: 0 at first, and when all were looked at */
};
/* Puts some of them there, and their ids into `ret`, which has room for `most`. How many. */
size_t jobset_move_some(struct jobset *set, struct jobset_move *move, int64_t now, uint64_t *ret,
                        size_t most);
/* Puts one job there. */
void jobset_set_queue(struct jobset *set, struct job *job, uint8_t queue, int64_t now);

/* Each unfinished job, in no order. */
void jobset_each(const struct jobset *set, void (*each)(void *arg, const struct job *job),
                 void *arg);

size_t jobset_in_queue(const struct jobset *set, uint8_t queue); /* unfinished jobs */
size_t jobset_waiting_in(const struct jobset *set, uint8_t queue);
size_t jobset_in_state(const struct jobset *set, uint8_t queue, enum job_state state);
size_t jobset_waiting_at(const struct jobset *set, uint8_t queue, enum job_priority level);
size_t jobset_count(const struct jobset *set, enum job_state state);
size_t jobset_waiting_of(const struct jobset *set, uint32_t uid);

#endif
