/* A set of an array's tasks as ranges of their positions (array_spec.h), so that a million of them
 * cost one range. Pure. */
#ifndef BATCHD_DAEMON_CORE_TASK_RANGES_H
#define BATCHD_DAEMON_CORE_TASK_RANGES_H

#include "common/error.h"
#include "daemon/core/array_spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task_range {
    uint64_t first, last; /* positions, inclusive */
};

/* Ascending, apart from each other by at least one position. Zero-initialised it is empty. */
struct task_ranges {
    struct task_range *ranges; /* owned */
    size_t count;
};

void task_ranges_done(struct task_ranges *set);

/* Joins the positions first to last. */
void task_ranges_add(struct task_ranges *set, uint64_t first, uint64_t last);

/* The tasks of `spec` that `text` names by their indices: "7", "1-3,9", "0-98:2", in ascending
 * order; each part must name at least one. 0, or -1 with ERROR_INVALID (ERROR_NOT_FOUND: the array
 * has no such task) that names the field "indices"; *ret (released with task_ranges_done) is set
 * only on success. */
int task_ranges_select(const struct array_spec *spec, const char *text, struct task_ranges *ret,
                       struct error *err);

/* Joins what `set` has from position `from` on and `without` lacks to *ret. */
void task_ranges_minus(const struct task_ranges *set, uint64_t from,
                       const struct task_ranges *without, struct task_ranges *ret);

/* The first positions from `from` on, as far as they adjoin, that `set` has and `without` lacks;
 * false: there are none. */
bool task_ranges_next(const struct task_ranges *set, const struct task_ranges *without,
                      uint64_t from, struct task_range *ret);

/* The least position; 0 when there is none. */
uint64_t task_ranges_first(const struct task_ranges *set);
bool task_ranges_has(const struct task_ranges *set, uint64_t position);
/* The first position from `position` on that is not in the set. */
uint64_t task_ranges_skip(const struct task_ranges *set, uint64_t position);
/* How many positions from `from` on it has. */
uint64_t task_ranges_count(const struct task_ranges *set, uint64_t from);

#endif
