/* Waiting jobs in an order, as a treap (Aragon and Seidel, "Randomized Search Trees", 1989) whose
 * nodes are the jobs themselves and know the least request of their subtree. Insertion, removal
 * and the first cost O(log n); so does "the first that fits", where a heap would have to take out
 * every job that does not. The first is also cheap for the processor's caches: draining a set
 * walks memory it has just seen. */
#ifndef BATCHD_DAEMON_CORE_READY_SET_H
#define BATCHD_DAEMON_CORE_READY_SET_H

#include "daemon/core/request_table.h"
#include "daemon/core/job.h"

#include <stddef.h>

/* What is compared first; equal ones are ordered by id. */
enum ready_order {
    READY_BY_SUBMIT,   /* nothing: the id alone */
    READY_BY_LEVEL,    /* the rank, urgent first */
    READY_BY_ESTIMATE, /* the shortest first, unknown last */
    READY_BY_WAIT,     /* the longest waiting first */
};

struct ready_set {
    enum ready_order order;
    struct job *root;
    struct job *first; /* NULL: empty */
    size_t count;
};

/* What may start: it must fit into `free`, and either end within `window_us` or fit into
 * `left_over` too. */
struct ready_limits {
    const struct request_table *requests;
    struct resources free;
    struct resources left_over;
    int64_t window_us;
    uint64_t depth;  /* a search looks at so many jobs, 0: at all */
    uint64_t visits; /* so many more in the set that is searched now; counts down */
};

/* The first key of `job` in this order. */
uint64_t ready_key(enum ready_order order, const struct job *job);

void ready_set_insert(struct ready_set *set, struct job *job);
void ready_set_remove(struct ready_set *set, struct job *job); /* it must be in it */

bool ready_fits(const struct job *job, const struct ready_limits *limits);
/* The first job of the set within the limits, or NULL: none, or none that was looked at. What a
 * subtree holds at least is known for processors and time, so most of those that do not fit are not
 * looked at; where other resources are scarce all are. */
struct job *ready_set_fitting(const struct ready_set *set, struct ready_limits *limits);

/* Calls `visit` for each job in order; it must not change the set. */
void ready_set_walk(const struct ready_set *set, void (*visit)(struct job *job, void *arg),
                    void *arg);

#endif
