/* "It starts now if ...": each single change that makes a waiting job, or a task of an array, start
 * now, and the smallest of its kind. Each is tried: it is made, the scheduler has a round, and all
 * of it is undone; so what is said holds for the scheduler as it is, with whatever goes before the
 * job. One unit less than what is said does not make it start. Pure; the state is the same
 * afterwards. */
#ifndef BATCHD_DAEMON_CORE_START_CHANGES_H
#define BATCHD_DAEMON_CORE_START_CHANGES_H

#include "daemon/core/alarms.h"
#include "daemon/core/dependency_graph.h"
#include "daemon/core/jobset.h"
#include "daemon/core/task_counts.h"

/* What a step is of memory and disk: requests and totals are whole ones (job_request.h). */
#define START_CHANGE_BYTES (UINT64_C(1) << 20U)

enum start_change_kind {
    CHANGE_RELEASE,     /* it is released */
    CHANGE_BEGIN,       /* its begin time comes */
    CHANGE_DEPENDENCY,  /* this one is fulfilled */
    CHANGE_ARRAY_LIMIT, /* so many more tasks of its array may run at the same time */
    CHANGE_RESUME,      /* its queue is resumed */
    CHANGE_USER_LIMIT,  /* so many more jobs of its user may run in its queue */
    CHANGE_SLOTS,       /* its queue has so many more slots */
    CHANGE_WORKERS,     /* there are so many more workers */
    CHANGE_FREE,        /* so much more of a resource is free, and a worker */
    CHANGE_PRIORITY,    /* it has this level, an enum job_priority */
    CHANGE_ESTIMATE,    /* it is expected to run so many milliseconds, and no longer */
    CHANGE_KIND_COUNT
};

struct start_change {
    enum start_change_kind kind;
    enum resource_kind resource; /* of CHANGE_FREE */
    uint64_t amount;             /* as the kind says */
    struct dependency dependency;
};

/* Room for all that start_changes_find may find. */
#define START_CHANGES_MAX 64U

struct start_state {
    struct scheduler *scheduler;
    struct jobset *jobs;
    struct alarms *begins;                /* jobs by the time before which they may not start */
    const struct dependency_graph *waits; /* NULL: nobody waits for another */
    struct task_counts *arrays;
    uint64_t running, workers; /* jobs at a worker; and as many as there may be */
    int64_t now;
};

/* Whether it starts in a round now, with nothing changed. */
bool start_changes_none_needed(const struct start_state *state, struct job *job);

/* The changes, in the order of their kinds: how many. Of a job that starts anyway none. `ret` has
 * START_CHANGES_MAX. */
size_t start_changes_find(const struct start_state *state, struct job *job,
                          struct start_change *ret);

#endif
