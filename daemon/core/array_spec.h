/* Which tasks an array has: "0-99", "1,3,5", "0-30:2" (a step) and combinations by comma, with "%K"
 * behind it for at most K at a time; Slurm's notation. Ranges ascend and do not overlap, so a
 * task's index and its position follow from each other by arithmetic, and a million tasks cost one
 * range. Pure. */
#ifndef BATCHD_DAEMON_CORE_ARRAY_SPEC_H
#define BATCHD_DAEMON_CORE_ARRAY_SPEC_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A list longer than this is better said by ranges; it bounds the search for a position. */
#define ARRAY_RANGES_MAX 1000U
#define ARRAY_INDEX_MAX UINT32_MAX
/* Room for that many ranges; it bounds what a list of arrays reads. */
#define ARRAY_TEXT_MAX 32768U

struct array_range {
    uint64_t first, last, step; /* last is a member: last = first + n * step */
    uint64_t before;            /* tasks in front of it; set when it is put into a specification */
};

struct array_spec {
    struct array_range *ranges; /* owned */
    size_t range_count;
    uint64_t total; /* tasks */
    uint64_t limit; /* at a time; 0: no limit */
};

/* Reads `text`, which may ask for at most max_tasks tasks. 0, or -1 with ERROR_INVALID that names
 * the field "array"; *ret is set only on success. */
int array_spec_parse(const char *text, uint64_t max_tasks, struct array_spec *ret,
                     struct error *err);
/* Builds a specification: adds the indices first, first + step, ..., last behind what it has,
 * joined to its last range where they go on in its steps. 0, or -1: it has ARRAY_RANGES_MAX ranges.
 */
int array_spec_append(struct array_spec *spec, const struct array_range *range);
/* As text that array_spec_parse reads to the same; the caller frees. */
char *array_spec_format(const struct array_spec *spec);
void array_spec_done(struct array_spec *spec);

/* Whether both have tasks of the same indices. */
bool array_spec_same_tasks(const struct array_spec *a, const struct array_spec *b);

/* The index of the task at `position` (0 to total - 1). */
uint64_t array_spec_index(const struct array_spec *spec, uint64_t position);
/* False when no task has this index. */
bool array_spec_position(const struct array_spec *spec, uint64_t index, uint64_t *ret);

#endif
