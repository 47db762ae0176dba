/* What happened to jobs in a minute, or in a sum of minutes: numbers, and how long they waited and
 * ran. A task of an array counts as a job, the array itself does not. Pure. */
#ifndef BATCHD_DAEMON_CORE_ROLLUP_H
#define BATCHD_DAEMON_CORE_ROLLUP_H

#include "daemon/core/histogram.h"

#include <stdint.h>

#define ROLLUP_MINUTE_US INT64_C(60000000)

/* Each in the minute in which it happened. */
enum rollup_number {
    ROLLUP_SUBMITTED,
    ROLLUP_STARTED, /* attempts: those that are tried again count again */
    ROLLUP_COMPLETED,
    ROLLUP_FAILED,
    ROLLUP_CANCELLED,
    ROLLUP_RETRIED, /* ends of attempts after which the job waited for another */
    ROLLUP_RAN,     /* of those that ended, the ones that had started */
    ROLLUP_WAIT_US, /* of the started ones: since they could have started */
    ROLLUP_RUN_US,  /* of those that ran: their last attempt */
    ROLLUP_CPU_US,  /* the processors' time of those attempts */
    ROLLUP_NUMBER_COUNT
};

struct rollup_key {
    int64_t minute; /* since the epoch */
    uint32_t uid;
    const char *queue, *type; /* borrowed; type: "" for a command */
};

struct rollup {
    int64_t numbers[ROLLUP_NUMBER_COUNT];
    struct histogram waits, runs;
};

void rollup_merge(struct rollup *rollup, const struct rollup *more);

/* All that ended. */
int64_t rollup_ended(const struct rollup *rollup);

#endif
