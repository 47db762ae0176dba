/* What becomes of a job, or of a task of an array, whose attempt has ended. Pure. */
#ifndef BATCHD_DAEMON_CORE_ENDING_H
#define BATCHD_DAEMON_CORE_ENDING_H

#include "daemon/core/job.h"
#include "daemon/core/retry_rule.h"

/* Sidekiq Pro's rule: what was lost so often within so long may be what kills its workers, and is
 * not run again by itself. */
#define POISON_LOSSES 3U
#define POISON_HOURS 72
#define POISON_WINDOW_US (INT64_C(3600000000) * POISON_HOURS)

enum ending {
    ENDING_COMPLETED,
    ENDING_FAILED,
    ENDING_CANCELLED,
    ENDING_POISON,        /* failed: lost too often */
    ENDING_AGAIN_CHARGED, /* another attempt; this one counts */
    ENDING_AGAIN_FREE,    /* another attempt; the host caused the end, it does not count */
    ENDING_AGAIN_LATER,   /* the same, after a pause: the host had no room for it */
};

struct ended_attempt {
    const struct outcome *outcome;
    const struct retry_rule *rule; /* resolved */
    uint32_t charged;              /* attempts that counted, before this one */
    uint32_t losses;               /* of the last POISON_WINDOW_US, with this one if it is one */
    bool cancelling;               /* somebody asked for its end */
    bool tree_dead;                /* it is proved that its processes are gone */
    bool grows;                    /* another attempt would have more memory */
};

/* An end that the host caused (lost; its worker was told to end) never counts, and the limit of
 * attempts does not stop it; but what may still run, is poison, or is never to be rerun fails. What
 * the host had no room for has not run: none of that is said of it. */
enum ending ending_of(const struct ended_attempt *attempt);

/* How long the next attempt waits when the host had no room for this one: a second, or twice as
 * long as before (last_us; 0: it had room then), five minutes at most. What the job's rule says is
 * for its own failures. */
int64_t ending_pause_us(int64_t last_us);

static inline bool ending_again(enum ending ending)
{
    return ending >= ENDING_AGAIN_CHARGED;
}

#endif
