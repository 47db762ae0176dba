/* What the scheduler knows of one waiting job: 72 bytes. It lies in memory of the
 * caller (the daemon's job, a row of a simulation), which must not move while the job waits or
 * runs. Times and spans are microseconds. */
#ifndef BATCHD_DAEMON_CORE_SCHED_JOB_H
#define BATCHD_DAEMON_CORE_SCHED_JOB_H

#include <stdint.h>

#define ESTIMATE_UNKNOWN INT64_MAX

struct sched_job {
    uint64_t id;         /* in the order of the submits: it breaks every tie */
    int64_t since;       /* when it could first have started: dependencies done, begin time come */
    int64_t estimate_us; /* how long it runs, or ESTIMATE_UNKNOWN */
    /* Owned by the ready set that the job is in: children in the tree, and the least of the tree
     * below it, itself included (seconds rounded down, so that they bound from below). */
    struct sched_job *left, *right;
    uint32_t least_cpus, least_estimate_s;
    uint32_t cpus;    /* of its request, here because it is looked at so often */
    uint32_t request; /* in the request table */
    uint32_t uid;
    uint32_t alarm_at; /* position in the queue's alarms, or NO_ALARM; owned by the queue */
    uint16_t queue;    /* number of its queue */
    uint8_t level;     /* enum job_priority as submitted */
    uint8_t rank;      /* its level now, lifted by ageing, or RANK_OVERDUE; owned by the queue */
};

#define RANK_OVERDUE UINT8_MAX
#define NO_ALARM UINT32_MAX

#endif
