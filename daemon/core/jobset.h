/* All unfinished jobs of the daemon: a slab of 32-byte records, a hash from id to record, the
 * waiting ones in a heap ordered by the queue's policy, and a count per state and user. jobset_move
 * is the only place that changes a job's state; heap membership and counts move with it. An array
 * stands in the heap while one of its tasks can start, whatever its own state: jobset_queue says
 * so.
 *
 * Memory per queued job: 32 bytes of slab, 4 to 8 of hash (load 0.5 to 1 of 4-byte slots, linear
 * probing at most 3/4 full) and 4 to 8 of heap: about 48. A pointer returned here is valid until
 * the job is removed: slabs never move. */
#ifndef BATCHD_DAEMON_CORE_JOBSET_H
#define BATCHD_DAEMON_CORE_JOBSET_H

#include "daemon/core/job.h"
#include "daemon/core/job_order.h"

struct jobset;

struct jobset *jobset_new(const struct job_order *order);
void jobset_free(struct jobset *set);

enum jobset_kind { JOBSET_PLAIN, JOBSET_ARRAY };

/* Adds a job in the given state (new, or read back at start). `job->packed` and queue_at are set
 * here. The id must be new. An array is not queued yet. */
struct job *jobset_add(struct jobset *set, const struct job *job, enum jobset_kind kind,
                       enum job_state state, enum job_priority priority);
struct job *jobset_find(const struct jobset *set, uint64_t id); /* NULL: not here */

/* Moves a job by the table of job_state.h. 0, or -1 when the event is not allowed (nothing
 * changed). A job that reached a terminal state stays until jobset_remove. */
int jobset_move(struct jobset *set, struct job *job, enum job_event event);
void jobset_remove(struct jobset *set, struct job *job); /* terminal jobs only */

/* Puts an unfinished array into the heap or takes it out; no-op when it is so already. */
void jobset_queue(struct jobset *set, struct job *array, bool wanted);

size_t jobset_queued(const struct jobset *set);     /* in the heap; an array counts once */
struct job *jobset_first(const struct jobset *set); /* what goes first, or NULL */
size_t jobset_count(const struct jobset *set, enum job_state state);
size_t jobset_waiting_of(const struct jobset *set, uint32_t uid);

#endif
