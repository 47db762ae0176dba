/* Jobs by the time at which they are to have ended: a binary heap of ids. Few jobs have one, and
 * such a job may stand in other alarms too (alarms.h), so it does not know its place here: what has
 * ended stays until its time, or until it is half of what is here, and what is changed is looked
 * for among all of them. Pure. */
#ifndef BATCHD_DAEMON_CORE_DEADLINES_H
#define BATCHD_DAEMON_CORE_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadline {
    int64_t at;
    uint64_t job;
};

/* Zero-initialised it is empty. */
struct deadlines {
    struct deadline *entries; /* owned */
    size_t count, room;
};

void deadlines_done(struct deadlines *set);

/* Adds one; `open` says of a job whether it has not ended yet. */
typedef bool (*deadline_open_fn)(const void *arg, uint64_t job);
void deadlines_add(struct deadlines *set, const struct deadline *deadline, deadline_open_fn open,
                   const void *arg);

/* Takes this one out; no-op when it is not here. */
void deadlines_remove(struct deadlines *set, const struct deadline *deadline);

/* Takes out the earliest, when it is not after `now`: true and *ret; of one instant by id. */
bool deadlines_take(struct deadlines *set, int64_t now, struct deadline *ret);
/* Whether there is one to take. */
bool deadlines_due(const struct deadlines *set, int64_t now);

#endif
