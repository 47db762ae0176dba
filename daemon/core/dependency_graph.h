/* Who waits for whom: the open dependencies of all waiting jobs, found by what they wait for. What
 * is fulfilled is not in it, nor is a job that waits for nothing. Pure.
 *
 * Memory: some 90 bytes a dependency and as many for each job or task at one of its ends. */
#ifndef BATCHD_DAEMON_CORE_DEPENDENCY_GRAPH_H
#define BATCHD_DAEMON_CORE_DEPENDENCY_GRAPH_H

#include "daemon/core/dependency_spec.h"

#include <stdbool.h>

struct dependency_graph;

/* What of the parent an edge waits for. */
enum dependency_wait {
    WAIT_FOR_START, /* after: its start or its end */
    WAIT_FOR_END,
    WAIT_FOR_TASKS, /* aftercorr: each task's end; its own end is the last word */
    DEPENDENCY_WAIT_COUNT
};

/* An open dependency; owned by the graph, until it is closed or its child dropped. */
struct dependency_edge {
    struct dependency what;
    uint64_t child;
    uint32_t position;                 /* among the child's dependencies, as submitted */
    bool any;                          /* one of them is enough */
    struct dependency_node *from, *to; /* the graph's, as the next */
    struct dependency_edge *next_of_parent, *prev_of_parent;
    struct dependency_edge *next_of_child, *prev_of_child;
};

struct dependency_graph *dependency_graph_new(void);
void dependency_graph_free(struct dependency_graph *graph);
bool dependency_graph_empty(const struct dependency_graph *graph);

/* The child waits for one more; `any`: one of its dependencies is enough, the same for all of a
 * child. For a singleton what->parent is the job that is in its way now. */
struct dependency_edge *dependency_graph_add(struct dependency_graph *graph, uint64_t child,
                                             uint32_t position, bool any,
                                             const struct dependency *what);

/* The edge that waits longest for this of a job (index < 0) or of a task, or NULL. */
struct dependency_edge *dependency_graph_first(const struct dependency_graph *graph, uint64_t id,
                                               int64_t index, enum dependency_wait wait);
/* One that waits for a task of this array, or NULL. */
struct dependency_edge *dependency_graph_first_of_tasks(const struct dependency_graph *graph,
                                                        uint64_t id);
/* The indices of the tasks of this array that are waited for; how many. The caller frees *ret. */
size_t dependency_graph_tasks(const struct dependency_graph *graph, uint64_t id, uint64_t **ret);
/* The first that this job waits for, NULL when it waits for none; the others by next_of_child. */
struct dependency_edge *dependency_graph_first_of(const struct dependency_graph *graph,
                                                  uint64_t child);
/* Whether any waits for anything of it. */
bool dependency_graph_awaited(const struct dependency_graph *graph, uint64_t id, int64_t index);

/* Closes an edge. What that means for its child: it waits on, it is free, or it never can be. When
 * it waits no more its other edges are closed, too, but for those of WAIT_FOR_TASKS of a free one.
 */
enum dependency_verdict { DEPENDENCY_WAITS, DEPENDENCY_MET, DEPENDENCY_NEVER };
enum dependency_verdict dependency_graph_close(struct dependency_graph *graph,
                                               struct dependency_edge *edge, bool fulfilled);
/* Closes the child's edge of WAIT_FOR_TASKS. No-op when it has none. */
void dependency_graph_close_tasks(struct dependency_graph *graph, uint64_t child);
/* A singleton has another job in its way. */
void dependency_graph_redirect(struct dependency_graph *graph, struct dependency_edge *edge,
                               uint64_t parent);
/* Closes all edges of a child. No-op when it has none. */
void dependency_graph_drop(struct dependency_graph *graph, uint64_t child);
/* Whether the child has an open edge beside those of WAIT_FOR_TASKS. */
bool dependency_graph_waits(const struct dependency_graph *graph, uint64_t child);

/* Whether `child` would wait for itself if it waited for these parents, in one walk however many
 * they are, and in none when nobody waits for it or no edit has let a job wait for a later one: the
 * number of jobs on the way from child over one of them back to child, both ends counted, and the
 * ids in *ret_path, which the caller frees; 0 if it would not. */
size_t dependency_graph_cycle(struct dependency_graph *graph, uint64_t child,
                              const uint64_t *parents, size_t count, uint64_t **ret_path);
/* How many jobs such walks have looked at: each costs a fraction of a microsecond. */
uint64_t dependency_graph_visited(const struct dependency_graph *graph);

#endif
