/* Which waiting job goes first: an interface that a policy fills, and the policies. Pure functions
 * over jobs and a time; ties are always broken by the id, so an order is total and repeatable. */
#ifndef BATCHD_DAEMON_CORE_JOB_ORDER_H
#define BATCHD_DAEMON_CORE_JOB_ORDER_H

#include "daemon/core/job.h"

struct job_order {
    const char *name;
    /* True when `a` is to start before `b`. A strict total order. */
    bool (*before)(const struct job *a, const struct job *b);
};

/* fifo: by submit order. priority: by level, then submit order. Slurm's and pueue's meaning. */
const struct job_order *job_order_find(const char *name); /* NULL: no such policy */

#endif
