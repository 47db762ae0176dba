/* Waiting jobs in an order, as a B+ tree: leaves with the jobs in order, and with each job what it
 * asks for at least, so that a search looks at a job's own memory only when it may start.
 * Insertion, removal and the first cost O(log n), and touch few lines of memory: with a million
 * jobs that, and not the number of comparisons, is what a decision costs. Each node knows how short
 * the shortest job below it is among those of so many processors at most, so "the first that fits"
 * passes over what does not. */
#ifndef BATCHD_DAEMON_CORE_READY_SET_H
#define BATCHD_DAEMON_CORE_READY_SET_H

#include "daemon/core/job.h"
#include "daemon/core/ready_bounds.h"

#include <stddef.h>

/* What is compared first; equal ones are ordered by id. */
enum ready_order {
    READY_BY_SUBMIT,   /* nothing: the id alone */
    READY_BY_LEVEL,    /* the rank, urgent first */
    READY_BY_ESTIMATE, /* the shortest first, unknown last */
    READY_BY_WAIT,     /* the longest waiting first */
};

/* The jobs are the caller's, the nodes the set's. What orders a job, and its processors and
 * estimate, must not change while it is in a set. */
struct ready_set {
    enum ready_order order;
    struct ready_node *root; /* NULL: empty */
    struct job *first;       /* NULL: empty */
    size_t count;
};

/* Where a job stands in an order. */
struct ready_key {
    uint64_t key, id;
};

struct ready_key ready_key(enum ready_order order, const struct job *job);

static inline bool ready_key_before(const struct ready_key *a, const struct ready_key *b)
{
    return a->key != b->key ? a->key < b->key : a->id < b->id;
}

void ready_set_done(struct ready_set *set); /* the set is empty afterwards */
void ready_set_insert(struct ready_set *set, struct job *job);
void ready_set_remove(struct ready_set *set, struct job *job); /* it must be in it */

bool ready_fits(const struct job *job, const struct ready_limits *limits);
/* The first job of the set within the limits that stands before `before` (NULL: wherever it
 * stands), or NULL: none, or none that was looked at. Where resources other than processors are
 * scarce all are looked at. */
struct job *ready_set_fitting(const struct ready_set *set, const struct ready_search *search,
                              const struct ready_key *before);
/* Of its jobs, or of some that it had too; NULL: it is empty. */
const struct ready_bounds *ready_set_bounds(const struct ready_set *set);

/* Calls `visit` for each job in order; it must not change the set. */
void ready_set_walk(const struct ready_set *set, void (*visit)(struct job *job, void *arg),
                    void *arg);

#endif
