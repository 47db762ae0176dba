/* What the daemon counts about itself since its start, for /metrics. Counting costs an addition;
 * whoever may count has a pointer to it, and api/metrics.c reads it. Pure. */
#ifndef BATCHD_DAEMON_CORE_METERS_H
#define BATCHD_DAEMON_CORE_METERS_H

#include "daemon/core/buckets.h"
#include "daemon/core/job.h"
#include "daemon/core/scheduler.h"

/* How a job ended. */
enum meter_result {
    METER_OK,
    METER_FAILED,
    METER_CANCELLED,
    METER_TIMEOUT,
    METER_OOM,
    METER_LOST,
    METER_RESULT_COUNT
};
extern const char *const meter_result_words[METER_RESULT_COUNT];
enum meter_result meter_result_of(enum job_state state, enum outcome_class class);

struct queue_meters {
    uint64_t submitted, started, retried;
    uint64_t finished[METER_RESULT_COUNT];
    uint64_t cpu_us, output_bytes, output_lost_bytes; /* of what has ended */
    uint64_t read_bytes, written_bytes;               /* the same */
    struct buckets waits, runs;
};
/* Queues of lower numbers are told of one by one, the others together (api/metrics.h). */
#define METER_QUEUES_ALONE 50U
void queue_meters_merge(struct queue_meters *meters, const struct queue_meters *more);

/* Of the first users that had a job, and of all others. */
#define METER_USERS_MAX 1000U
struct user_meters {
    uint32_t uid;
    uint64_t submitted, finished[METER_RESULT_COUNT];
};

/* How a request was answered: as asked; not, by its own fault; not now; not, by a fault of the
 * daemon's; not, as its client left before. */
enum meter_code {
    METER_CODE_OK,
    METER_CODE_REFUSED,
    METER_CODE_BUSY,
    METER_CODE_INTERNAL,
    METER_CODE_GONE,
    METER_CODE_COUNT
};
extern const char *const meter_code_words[METER_CODE_COUNT];
/* By the name of the error that is the answer, which may have its interface in front. */
enum meter_code meter_code_of(const char *error);

/* Of a method of the protocol: how long its requests took, by how they were answered. */
#define METER_VERBS_MAX 128U
struct verb_meters {
    struct buckets codes[METER_CODE_COUNT];
};

/* Why requests to submit were refused, by the name of the error of the protocol. */
#define METER_REFUSALS 15U
extern const char *const meter_refusal_words[METER_REFUSALS]; /* the last are all others */

/* Why a run of a schedule was not made. */
enum meter_missed {
    METER_MISSED_LATE,
    METER_MISSED_OVERLAP,
    METER_MISSED_REFUSED,
    METER_MISSED_COUNT
};
extern const char *const meter_missed_words[METER_MISSED_COUNT];

struct meters {
    struct queue_meters queues[SCHEDULER_QUEUES]; /* by number */
    struct queue_meters gone;                     /* of those told of together that were removed */
    bool has_gone;
    struct user_meters *users; /* owned */
    size_t user_count;
    struct user_meters other_users;
    struct verb_meters verbs[METER_VERBS_MAX]; /* by their place in the table (api/api.c) */
    struct verb_meters other_verbs;            /* what names none of these */
    uint64_t refusals[METER_REFUSALS], missed[METER_MISSED_COUNT];
    uint64_t dropped;                /* readers of events that fell behind */
    struct buckets choices, commits; /* seconds of scheduling, committing */
    double lag;                      /* by which the last second's timer was late */
    int64_t run_lag_us;              /* by which the newest run of a schedule was made late */
    uint32_t connections, scrapers;
    uint64_t turned_away; /* clients over the limits */
};

struct meters *meters_new(void);
void meters_free(struct meters *meters);

/* Counts one refusal; the error's name may have its interface in front. */
void meters_refuse(struct meters *meters, const char *error);

/* The user's, or those of all others. */
struct user_meters *meters_user(struct meters *meters, uint32_t uid);

#endif
