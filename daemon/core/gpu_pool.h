/* Which GPU has room for what: a job has some for itself, or a share of one beside others. A GPU
 * that has one job for itself has no other; shares of one add up to a whole at most; and what is
 * asked of its memory must be there, by what was promised and by what was measured. One that is out
 * (it vanished, it fails, others use it) keeps what it has and gets nothing. Pure. */
#ifndef BATCHD_DAEMON_CORE_GPU_POOL_H
#define BATCHD_DAEMON_CORE_GPU_POOL_H

#include "daemon/core/gpus.h"
#include "daemon/core/resources.h"

#include <stdbool.h>

/* A whole GPU, in units of RESOURCE_GPU_SHARE. */
#define GPU_WHOLE 1000U

struct gpu_slot {
    bool out;
    uint32_t whole;  /* jobs that have it for themselves: 1, but for what was never to be */
    uint32_t shares; /* of the others, in thousandths */
    uint64_t promised_bytes;
    uint64_t total_bytes;   /* 0: not known, and then nothing is refused for it */
    uint64_t used_bytes;    /* as measured */
    uint64_t foreign_bytes; /* of it by programs that are no jobs */
};

struct gpu_pool {
    uint32_t count;
    uint32_t lent; /* for a trial so many more */
    struct gpu_slot slot[GPUS_MAX];
};

/* Whether it asks for GPUs, or a share of one. */
bool gpu_pool_asked(const struct resources *wanted);
/* Whether it may start now; and whether it could with nothing else of ours on the GPUs. */
bool gpu_pool_fits(const struct gpu_pool *pool, const struct resources *wanted);
bool gpu_pool_ever_fits(const struct gpu_pool *pool, const struct resources *wanted);
/* Which it gets: whole ones from the lowest on, a share where it leaves the least. Fewer than
 * wanted when it does not fit. */
uint64_t gpu_pool_choose(const struct gpu_pool *pool, const struct resources *wanted);
void gpu_pool_take(struct gpu_pool *pool, uint64_t set, const struct resources *wanted);
void gpu_pool_give_back(struct gpu_pool *pool, uint64_t set, const struct resources *wanted);

/* GPUs that can be given or are had by one job; and those that nobody has. */
uint32_t gpu_pool_usable(const struct gpu_pool *pool);
uint32_t gpu_pool_free(const struct gpu_pool *pool);
/* The bytes that a job could still be promised of this one. */
uint64_t gpu_slot_room(const struct gpu_slot *slot);

#endif
