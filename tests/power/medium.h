/* What the disk may hold after a loss of power, by a record of writes and syncs: all that was
 * synced, and of the rest whatever happened to reach it. */
#ifndef BATCHD_TESTS_POWER_MEDIUM_H
#define BATCHD_TESTS_POWER_MEDIUM_H

#include "tests/power/trace.h"

#include <stddef.h>

struct medium;

struct medium *medium_new(void);
void medium_free(struct medium *medium);

/* The next record. Its data is borrowed for the life of the disk. */
void medium_apply(struct medium *medium, const struct trace_head *head, const uint8_t *data);

/* What one image left out of what was not synced. */
struct medium_losses {
    const char *style;     /* how it was chosen; a constant */
    uint64_t pieces, lost; /* written since the last sync, and of these those that are not there */
};

/* Writes the files as they may be now into `folder`, which is empty. `seed` chooses. 0 or -1. */
int medium_image(struct medium *medium, uint64_t seed, const char *folder,
                 struct medium_losses *ret);

/* A random number below `limit`, which is not 0. */
uint64_t medium_random(uint64_t *seed, uint64_t limit);

#endif
