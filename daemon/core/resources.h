/* Amounts of what a machine has and a job asks for: processors, bytes of memory, GPUs, bytes of
 * disk, and counters that the configuration names (licences; resource_names.h numbers them). A
 * vector of exact integers. */
#ifndef BATCHD_DAEMON_CORE_RESOURCES_H
#define BATCHD_DAEMON_CORE_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

enum resource_kind {
    RESOURCE_CPUS,
    RESOURCE_MEMORY, /* bytes */
    RESOURCE_GPUS,
    RESOURCE_DISK,    /* bytes */
    RESOURCE_COUNTER, /* the first of the named counters */
    /* Counters that a job asks for and the configuration no longer names: a machine has 0. */
    RESOURCE_REMOVED = 15,
    /* Processors of its own, of a job that is bound to them: as many as its RESOURCE_CPUS. The sum
     * says whether it fits, since any will do (cpu_layout.h). */
    RESOURCE_BOUND,
    RESOURCE_COUNTED, /* so many kinds are summed and compared */
    /* What a job asks of GPUs beside whole ones: gpu_pool.h knows whether it is there. */
    RESOURCE_GPU_SHARE =
        RESOURCE_COUNTED, /* of one GPU, in thousandths; then it has no whole ones */
    RESOURCE_GPU_MEMORY,  /* bytes of each of its GPUs */
    RESOURCE_KINDS
};

struct resources {
    uint64_t amount[RESOURCE_KINDS];
};

/* Whether each amount of `wanted` that is counted is there. */
bool resources_fit(const struct resources *wanted, const struct resources *there);
bool resources_equal(const struct resources *a, const struct resources *b);
/* How many times `wanted` is there, at most `limit`. */
uint64_t resources_times(const struct resources *wanted, const struct resources *there,
                         uint64_t limit);
void resources_add(struct resources *sum, const struct resources *more);
/* Takes away; the caller made sure that it fits. */
void resources_take(struct resources *sum, const struct resources *less);
/* What of `total` is not in `used`: 0 where more is used than there is. */
void resources_left(const struct resources *total, const struct resources *used,
                    struct resources *ret);
/* The largest share that `wanted` is of the processors, memory or GPUs of `total`, 0 to 1: the
 * dominant resource (Ghodsi et al., "Dominant Resource Fairness", NSDI 2011). A kind that the
 * machine has none of does not count. */
double resources_dominant(const struct resources *wanted, const struct resources *total);

#endif
