/* What is said of each reason why a job does not run: what it is about, who is in the way, what
 * would lift it. */
#ifndef BATCHD_DAEMON_API_REASON_TEXTS_H
#define BATCHD_DAEMON_API_REASON_TEXTS_H

#include "daemon/api/verb.h"

/* Of running jobs that are in the way so many are named. */
#define REASON_JOBS_MAX 20U

enum reason {
    REASON_HELD,
    REASON_BEGIN_TIME,
    REASON_RETRY_BACKOFF,
    REASON_DEPENDENCY,
    REASON_ARRAY_LIMIT,
    REASON_QUEUE_PAUSED,
    REASON_USER_LIMIT,
    REASON_BREAKER_OPEN,
    REASON_PRESSURE,
    REASON_DISK_LOW,
    REASON_RESOURCES,
    REASON_PRIORITY,
    REASON_COUNT
};

const char *reason_word(enum reason reason); /* of the wire */

/* The job in question, as the caller may read of it. All is borrowed. */
struct reason_subject {
    const struct api_call *call;
    const struct job_row *row;
    const struct job *job;
    const struct scheduler *scheduler;
    const struct queue *queue;
    const struct named_queue *named; /* the same queue */
    struct resources lack;           /* what it asks for beyond what is free */
};

bool reason_lacks(const struct reason_subject *subject);
/* Whether its queue has no slot for it, paused or not. */
bool reason_slots_full(const struct reason_subject *subject);
/* {reason, detail, lifts, jobs, at}, of one that applies. */
json_t *reason_view(const struct reason_subject *subject, enum reason reason);

#endif
