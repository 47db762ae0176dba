/* What is kept of a worker beside its id, in its row and while it lives. */
#ifndef BATCHD_DAEMON_CORE_WORKER_FACTS_H
#define BATCHD_DAEMON_CORE_WORKER_FACTS_H

#include <stdint.h>

/* Why it was made. Numbers are in the store. */
enum worker_why {
    WORKER_WHY_UNKNOWN, /* by an earlier version */
    WORKER_WHY_MINIMUM, /* so many are kept although there is nothing to do */
    WORKER_WHY_JOBS,    /* jobs waited for one */
    WORKER_WHY_COUNT
};

/* Why it takes no more jobs and leaves when it has none. Numbers are in the store. */
enum worker_drain {
    WORKER_DRAIN_NO,
    WORKER_DRAIN_ORDER, /* somebody said so */
    WORKER_DRAIN_LIMIT, /* there may be fewer of them now */
    WORKER_DRAIN_COUNT
};

struct worker_facts {
    int64_t made_at; /* wall clock, when it was asked for */
    enum worker_why why;
    uint64_t waiting; /* jobs that could have started then, had there been workers */
    enum worker_drain drain;
    int64_t drain_at; /* wall clock; 0: it is not drained */
};

#endif
