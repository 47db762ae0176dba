/* What the processes below us use now, where no control group counts it: read from /proc, one by
 * one. */
#ifndef BATCHD_WORKER_TREE_USAGE_H
#define BATCHD_WORKER_TREE_USAGE_H

#include <stdint.h>

struct tree_usage {
    uint64_t cpu_us;       /* of those that live, and of what they have waited for */
    uint64_t memory_bytes; /* resident; what several share counts for each */
    uint32_t processes;
};

void tree_usage_take(struct tree_usage *ret);

#endif
