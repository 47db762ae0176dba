/* A queue: waiting jobs in the order of its policy, each user's apart, so that a user's limit or
 * usage concerns all of that user's jobs at once. Orders (DESIGN 5), ties always by id:
 *   fifo      by submit
 *   priority  by level, then submit; ageing lifts a job one level for each interval waited
 *   sjf       by estimate, then submit; an unknown estimate goes last
 *   fair      by the user's usage / shares, then what the user holds now / shares, then level, then
 *             submit
 * Whatever the policy: a job that has waited max_delay goes before those that have not, the one
 * that waited longest first. Finding the first costs a look at each user with waiting jobs. */
#ifndef BATCHD_DAEMON_CORE_QUEUE_H
#define BATCHD_DAEMON_CORE_QUEUE_H

#include "daemon/core/fair_share.h"
#include "daemon/core/queue_settings.h"
#include "daemon/core/ready_set.h"

struct queue;

/* Of `share` each job's user is asked; it is the caller's and outlives the queue. */
struct queue *queue_new(const struct queue_settings *settings, struct fair_share *share);
void queue_free(struct queue *queue); /* the jobs are the caller's */
const struct queue_settings *queue_settings(const struct queue *queue);
/* From now on; what waits is put in the new order. */
void queue_change(struct queue *queue, const struct queue_settings *settings, int64_t now);
/* A paused queue starts nothing. */
void queue_pause(struct queue *queue, bool paused);
bool queue_paused(const struct queue *queue);

void queue_add(struct queue *queue, struct job *job, int64_t now);
void queue_remove(struct queue *queue, struct job *job);
size_t queue_count(const struct queue *queue);

/* Brings the order up to `now`: lifts those that are due. To be called before the questions below
 * when time has passed. A wall clock that was put back is noticed: ages are counted anew. */
void queue_advance(struct queue *queue, int64_t now);
/* When the order changes next by itself, or NEVER of running_set.h. */
int64_t queue_next_alarm(const struct queue *queue);

/* A job of this user runs, or one has ended: for the limits of the queue and of its users. */
void queue_run(struct queue *queue, uint32_t uid);
void queue_end(struct queue *queue, uint32_t uid);
uint32_t queue_running(const struct queue *queue);
uint32_t queue_running_of(const struct queue *queue, uint32_t uid);
/* How many more may run in it: nothing while it is paused. */
uint32_t queue_room(const struct queue *queue);
/* Whether the user has as many jobs running in it as one may. */
bool queue_user_full(const struct queue *queue, uint32_t uid);

/* What goes first, or NULL; and the first of those within the limits, or NULL. Users who have as
 * many running as they may are passed over. With a depth each user with waiting jobs has an equal
 * part of it, so that nobody's jobs hide another's. */
struct job *queue_first(const struct queue *queue);
/* When the one that goes first had waited max_delay; NEVER: it has not. */
int64_t queue_overdue_at(const struct queue *queue);
struct job *queue_fitting(struct queue *queue, struct ready_limits *limits);

#endif
