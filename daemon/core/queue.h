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
#include "daemon/core/ready_set.h"

enum queue_policy { QUEUE_FIFO, QUEUE_PRIORITY, QUEUE_SJF, QUEUE_FAIR, QUEUE_POLICY_COUNT };

/* What a first job that does not fit does to those behind it: `none` stops them, `easy` gives it a
 * reservation and lets those pass that do not delay it (Lifka, "The ANL/IBM SP Scheduling System",
 * JSSPP 1995). */
enum queue_backfill { QUEUE_BACKFILL_NONE, QUEUE_BACKFILL_EASY, QUEUE_BACKFILL_COUNT };

struct queue_settings {
    enum queue_policy policy;
    enum queue_backfill backfill;
    int64_t ageing_us;    /* 0: jobs keep their level */
    int64_t max_delay_us; /* 0: no bound */
};

struct queue;

/* Words of the wire; -1 when the word is none of them. */
const char *queue_policy_word(enum queue_policy policy);
int queue_policy_parse(const char *word, enum queue_policy *ret);
const char *queue_backfill_word(enum queue_backfill backfill);
int queue_backfill_parse(const char *word, enum queue_backfill *ret);

/* Of `share` each job's user is asked; it is the caller's and outlives the queue. */
struct queue *queue_new(const struct queue_settings *settings, struct fair_share *share);
void queue_free(struct queue *queue); /* the jobs are the caller's */
const struct queue_settings *queue_settings(const struct queue *queue);

void queue_add(struct queue *queue, struct job *job, int64_t now);
void queue_remove(struct queue *queue, struct job *job);
size_t queue_count(const struct queue *queue);

/* Brings the order up to `now`: lifts those that are due. To be called before the questions below
 * when time has passed. A wall clock that was put back is noticed: ages are counted anew. */
void queue_advance(struct queue *queue, int64_t now);
/* When the order changes next by itself, or NEVER of running_set.h. */
int64_t queue_next_alarm(const struct queue *queue);

/* What goes first, or NULL; and the first of those within the limits, or NULL. With a depth each
 * user with waiting jobs has an equal part of it, so that nobody's jobs hide another's. */
struct job *queue_first(const struct queue *queue);
struct job *queue_fitting(const struct queue *queue, struct ready_limits *limits);

#endif
