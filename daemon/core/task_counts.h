/* How many tasks the unfinished arrays have that wait and that run, by the array's id: what it
 * takes to know how often a queued array may start, without its row. Pure. Some 80 bytes an array.
 */
#ifndef BATCHD_DAEMON_CORE_TASK_COUNTS_H
#define BATCHD_DAEMON_CORE_TASK_COUNTS_H

#include <stdint.h>

struct task_count {
    uint64_t id;
    uint64_t total, waiting, running;
    uint64_t limit; /* of those that run; 0: none */
    /* In a forecast: those of the waiting that wait for another array's tasks; what started so far;
     * and the caller's. */
    uint64_t kept, started, label;
};

/* Zero-initialised it is empty. */
struct task_counts {
    void *root; /* of a search tree; owned */
};

void task_counts_done(struct task_counts *counts);
/* Writes or replaces that of count->id. */
void task_counts_put(struct task_counts *counts, const struct task_count *count);
void task_counts_drop(struct task_counts *counts, uint64_t id); /* no-op when it is not there */
/* NULL: not there. Valid until it is dropped. */
struct task_count *task_counts_find(const struct task_counts *counts, uint64_t id);

void task_counts_each(const struct task_counts *counts,
                      void (*each)(void *arg, struct task_count *count), void *arg);

/* How many more of its tasks may start now. */
uint64_t task_count_startable(const struct task_count *count);

#endif
