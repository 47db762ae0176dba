/* The tasks of an array that wait for another attempt: those that may start, by their index, and
 * those that wait for a time first, by that time. Times are of any one clock. 16 bytes each: that
 * is what a million of them may cost. Pure. */
#ifndef BATCHD_DAEMON_CORE_TASK_WAITS_H
#define BATCHD_DAEMON_CORE_TASK_WAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task_wait {
    int64_t at;          /* 0: it may start */
    uint32_t index;      /* at most ARRAY_INDEX_MAX */
    uint32_t memory_mib; /* what it asks for after it had too little memory; 0: as its array */
};

/* Heaps: the first is the least. Zero-initialised: empty. */
struct task_heap {
    struct task_wait *waits; /* owned */
    size_t count, room;
};
struct task_waits {
    struct task_heap ready, later;
};

void task_waits_done(struct task_waits *waits);

void task_waits_add(struct task_waits *waits, struct task_wait wait);
/* Those whose time has come may start, at most so many of them. */
void task_waits_due(struct task_waits *waits, int64_t now, size_t most);
/* All of them may. As many steps as there are. */
void task_waits_lift(struct task_waits *waits);
/* The one of the lowest index that may start; NULL: none may. Valid until the next change. */
const struct task_wait *task_waits_first(const struct task_waits *waits);
/* Takes it: there is one. */
uint64_t task_waits_take(struct task_waits *waits);
/* Takes any of them out; false: there is none. */
bool task_waits_drop(struct task_waits *waits, uint64_t *ret_index);
/* When the first of those that may not start yet may; INT64_MAX: there is none. */
int64_t task_waits_next(const struct task_waits *waits);

/* Calls for each, in no order; those for which it answers false are taken out, at most so many of
 * them. True: it ended with that, and has not seen them all. */
typedef bool (*task_wait_fn)(void *arg, const struct task_wait *wait);
bool task_waits_filter(struct task_waits *waits, size_t most, task_wait_fn keep, void *arg);

static inline size_t task_waits_count(const struct task_waits *waits)
{
    return waits->ready.count + waits->later.count;
}

#endif
