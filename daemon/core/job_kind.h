/* What a job must have in common with the one whose resources it takes over when that ends: all
 * that it asks for, and its queue, whose slot it takes over too. */
#ifndef BATCHD_DAEMON_CORE_JOB_KIND_H
#define BATCHD_DAEMON_CORE_JOB_KIND_H

#include "daemon/core/resources.h"

struct job_kind {
    uint8_t queue;
    struct resources asked;
};

static inline bool job_kind_equal(const struct job_kind *a, const struct job_kind *b)
{
    return a->queue == b->queue && resources_equal(&a->asked, &b->asked);
}

#endif
