/* Who starts now: pure functions over waiting jobs, what runs, resources and a time. The caller
 * asks in rounds: scheduler_begin, then scheduler_next until it answers NULL. Jobs wait in queues;
 * of those that may start something, the one goes first whose first job has waited max_delay, then
 * the one with the least running for its weight, then the one that has started the least for its
 * weight. Within a round the first job that does not fit, of whichever queue, is reserved for once,
 * at the earliest time it can start by the estimates of what runs; what starts after it in that
 * round, from whichever queue, ends by then or uses only what is left over beside it (and does the
 * former where it passes the first job of a queue that has no reservation). The queue of that job
 * goes first in the next rounds too, until the job has started. A queue with backfill none starts
 * nothing behind a job of its own that does not fit (and where it is the only one, there is no need
 * to reserve). The daemon and the simulation run this code; the same calls
 * give the same answers. */
#ifndef BATCHD_DAEMON_CORE_SCHEDULER_H
#define BATCHD_DAEMON_CORE_SCHEDULER_H

#include "daemon/core/queue.h"
#include "daemon/core/running_set.h"

struct scheduler_options {
    struct resources total;
    struct queue_settings queue; /* of the first queue, number 0 */
    int64_t half_life_us;        /* of usage, for `fair`; 0: usage never decays */
    /* How many waiting jobs are looked at for one that may pass the reserved one; 0: all. What is
     * further back waits. */
    uint64_t backfill_depth;
};

struct scheduler;

struct scheduler *scheduler_new(const struct scheduler_options *options);
void scheduler_free(struct scheduler *scheduler);

/* Queues have the numbers 0 to SCHEDULER_QUEUES - 1, and a job's `queue` is one of them. */
#define SCHEDULER_QUEUES 255U
/* One more: its number, or -1 when there are so many. */
int scheduler_add_queue(struct scheduler *scheduler, const struct queue_settings *settings);
/* Nothing waits or runs in it; its number may be given to another. Not of number 0. */
void scheduler_remove_queue(struct scheduler *scheduler, uint8_t number);
/* From now on; what waits in it is put in the new order. */
void scheduler_change_queue(struct scheduler *scheduler, uint8_t number,
                            const struct queue_settings *settings, int64_t now);
void scheduler_pause_queue(struct scheduler *scheduler, uint8_t number, bool paused);
/* What runs as of one queue counts as of the other. */
void scheduler_move_runs(struct scheduler *scheduler, uint8_t from, uint8_t to);
/* The same for one; it has the returned number from then on. */
uint64_t scheduler_move_run(struct scheduler *scheduler, uint64_t run, uint8_t to);
/* The queue whose turn the next round begins with, because its first job was reserved for and still
 * waits; -1: none. And the same for a restart, so that it changes no order. */
int scheduler_owed(const struct scheduler *scheduler);
void scheduler_owe(struct scheduler *scheduler, uint8_t number);
/* How much the queue has started for its weight, in units of the scheduler's own; to be set at a
 * restart, once it was told what runs. */
uint64_t scheduler_served(const struct scheduler *scheduler, uint8_t number);
void scheduler_set_served(struct scheduler *scheduler, uint8_t number, uint64_t served);
/* To ask of. Borrowed; NULL: there is none of this number. */
const struct queue *scheduler_queue_at(const struct scheduler *scheduler, uint8_t number);

/* A job that the caller will queue: id, uid, level, queue, since and estimate_us are the caller's
 * to fill, the rest is set here. Until scheduler_forget its memory must not move. */
void scheduler_learn(struct scheduler *scheduler, struct job *job, const struct resources *wanted);
void scheduler_forget(struct scheduler *scheduler, struct job *job); /* it is not queued */

/* Of the memory, others than jobs have so much (headroom.h): what runs keeps what it was given, and
 * a job that asks for more than is left although nothing else ran starts when nothing else runs. */
void scheduler_set_elsewhere(struct scheduler *scheduler, uint64_t memory_bytes);
uint64_t scheduler_elsewhere(const struct scheduler *scheduler);
/* Whether the job is one of those. */
bool scheduler_exceeds(const struct scheduler *scheduler, const struct job *job);

/* What it asks for. Valid until the next scheduler_learn. */
const struct resources *scheduler_wanted(const struct scheduler *scheduler, const struct job *job);
/* Whether it could start on an empty machine. What never fits is not queued: a machine that was
 * made smaller has such jobs, and they stop nobody. */
bool scheduler_ever_fits(const struct scheduler *scheduler, const struct job *job);
/* What it has in all, also GPUs that are out now. */
struct resources scheduler_installed(const struct scheduler *scheduler);
/* The GPUs, one by one. Borrowed. */
const struct gpu_pool *scheduler_gpus(const struct scheduler *scheduler);
/* What is known of each of them from now on: out, and what was measured. */
void scheduler_see_gpus(struct scheduler *scheduler, const struct gpu_pool *seen);
/* Whether something that asks for GPUs ever fits that did not, or no longer does, since this was
 * asked last: the caller has every job reviewed. */
bool scheduler_gpus_changed(struct scheduler *scheduler);
/* Of processors that a job can be bound to there are `total` from now on, and no more than `idle`
 * that nobody is bound to. True when something that asks for them ever fits that did not, or no
 * longer does: the caller has every job reviewed. */
bool scheduler_see_bound(struct scheduler *scheduler, uint64_t total, uint64_t idle);
/* One that was queued leaves its queue while it does not fit whatever ends, since GPUs or
 * processors to be bound to are not there, so that it stops nobody, and comes back. */
void scheduler_review(struct scheduler *scheduler, struct job *job, int64_t now);
/* Which it would get now. */
uint64_t scheduler_choose_gpus(const struct scheduler *scheduler, const struct job *job);
/* From now on it waits, or no longer; no-op when it is so already. */
void scheduler_queue(struct scheduler *scheduler, struct job *job, int64_t now);
void scheduler_unqueue(struct scheduler *scheduler, struct job *job);

void scheduler_begin(struct scheduler *scheduler, int64_t now);
/* What is to start next in this round, still in its queue; NULL: the round is over. The caller
 * tells that it runs, and takes it out of the queue (an array stays while tasks of it wait). */
struct job *scheduler_next(struct scheduler *scheduler);
/* What goes first, whether it fits or not, and although its queue has no slot; NULL: nothing waits
 * that may start. */
struct job *scheduler_first(const struct scheduler *scheduler);

/* Why a queued job does not run; bits. */
enum wait_reason {
    WAIT_QUEUE_PAUSED = 1,
    WAIT_USER_LIMIT = 2, /* of its queue */
    WAIT_RESOURCES = 4,  /* or slots: it goes first in its queue and does not fit */
    WAIT_PRIORITY = 8,   /* others go first in its queue */
};
unsigned scheduler_reasons(const struct scheduler *scheduler, const struct job *job);

/* The job, or one task of the array, runs since `started_at`. Returns the number by which its end
 * is told; never 0. */
uint64_t scheduler_run(struct scheduler *scheduler, const struct job *job, int64_t started_at);
/* The same on these GPUs. */
uint64_t scheduler_run_on(struct scheduler *scheduler, const struct job *job, int64_t started_at,
                          uint64_t gpus);
/* It goes where another one's room will be its own, and starts there unasked: its queue has had its
 * turn. */
void scheduler_hand_ahead(struct scheduler *scheduler, const struct job *job);
void scheduler_end(struct scheduler *scheduler, uint64_t run, int64_t now);
/* The user held this for a time that is past: for fair share, after a restart. */
void scheduler_charge(struct scheduler *scheduler, uint32_t uid, const struct resources *held,
                      int64_t started_at, int64_t ended_at);
/* And the user did not, although it was charged: the end of what ran was told late. */
void scheduler_discharge(struct scheduler *scheduler, uint32_t uid, const struct resources *held,
                         int64_t started_at, int64_t ended_at);

/* For a trial: there is so much more, or (back) less, of a kind. Shares of the machine, which fair
 * share goes by, stay as they are. */
void scheduler_lend(struct scheduler *scheduler, enum resource_kind kind, uint64_t amount);
void scheduler_take_back(struct scheduler *scheduler, enum resource_kind kind, uint64_t amount);
/* What rounds and changes leave behind beside what runs and stands in queues, to be put back when
 * all of that is as it was. */
struct scheduler_mark;
struct scheduler_mark *scheduler_mark(const struct scheduler *scheduler);
void scheduler_mark_free(struct scheduler_mark *mark);
void scheduler_put_back(struct scheduler *scheduler, const struct scheduler_mark *mark);

/* When the order of what waits changes next by itself (ageing, max_delay), or NEVER: worth a round
 * then. */
int64_t scheduler_next_alarm(const struct scheduler *scheduler);

/* Queued jobs that their queues leave room for; an array counts once. */
size_t scheduler_waiting(const struct scheduler *scheduler);
uint64_t scheduler_running(const struct scheduler *scheduler);
const struct resources *scheduler_total(const struct scheduler *scheduler);
/* What is not given to a job; and of that what is there: memory may be elsewhere. */
const struct resources *scheduler_free_resources(const struct scheduler *scheduler);
const struct resources *scheduler_available(const struct scheduler *scheduler);
/* How many jobs like this one fit beside what runs and into its queue, at most `limit`. */
uint64_t scheduler_room_for(const struct scheduler *scheduler, const struct job *job,
                            uint64_t limit);
/* For whom the last round reserved, and when it is to start; NULL: for nobody. */
const struct job *scheduler_reserved(const struct scheduler *scheduler, int64_t *ret_at);
struct fair_share *scheduler_share(const struct scheduler *scheduler);

#endif
