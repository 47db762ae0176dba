#include "daemon/core/gpu_pool.h"

#include <assert.h>

static uint32_t count_of(const struct gpu_pool *pool)
{
    const uint32_t count = pool->count + pool->lent;
    return count < GPUS_MAX ? count : GPUS_MAX;
}

static uint64_t what_is_left(uint64_t total, uint64_t used)
{
    return total > used ? total - used : 0;
}

/* What is used may be more than was promised, or not yet be as much. */
uint64_t gpu_slot_room(const struct gpu_slot *slot)
{
    const uint64_t due = slot->promised_bytes + slot->foreign_bytes;
    if (slot->total_bytes == 0)
        return UINT64_MAX;
    return what_is_left(slot->total_bytes, due > slot->used_bytes ? due : slot->used_bytes);
}

bool gpu_pool_asked(const struct resources *wanted)
{
    return wanted->amount[RESOURCE_GPUS] > 0 || wanted->amount[RESOURCE_GPU_SHARE] > 0;
}

/* On one that is empty what was measured is what others use, or a job that has just ended. */
static bool slot_fits(const struct gpu_slot *slot, const struct resources *wanted)
{
    const uint64_t memory = wanted->amount[RESOURCE_GPU_MEMORY];
    if (slot->out || slot->whole > 0)
        return false;
    if (wanted->amount[RESOURCE_GPU_SHARE] > 0)
        return slot->shares + wanted->amount[RESOURCE_GPU_SHARE] <= GPU_WHOLE &&
               memory <= gpu_slot_room(slot);
    return slot->shares == 0 && (slot->total_bytes == 0 ||
                                 memory <= what_is_left(slot->total_bytes, slot->foreign_bytes));
}

static uint64_t needed(const struct resources *wanted)
{
    return wanted->amount[RESOURCE_GPU_SHARE] > 0 ? 1 : wanted->amount[RESOURCE_GPUS];
}

bool gpu_pool_fits(const struct gpu_pool *pool, const struct resources *wanted)
{
    const uint64_t count = needed(wanted);
    uint64_t found = 0;
    for (uint32_t i = 0; i < count_of(pool) && found < count; i++)
        found += slot_fits(&pool->slot[i], wanted);
    return found == count;
}

bool gpu_pool_ever_fits(const struct gpu_pool *pool, const struct resources *wanted)
{
    const uint64_t count = needed(wanted);
    uint64_t found = 0;
    for (uint32_t i = 0; i < count_of(pool) && found < count; i++) {
        const struct gpu_slot *slot = &pool->slot[i];
        const struct gpu_slot empty = {.out = slot->out && slot->whole == 0,
                                       .total_bytes = slot->total_bytes,
                                       .used_bytes = slot->foreign_bytes,
                                       .foreign_bytes = slot->foreign_bytes};
        found += slot_fits(&empty, wanted);
    }
    return found == count;
}

/* The lowest; of a share the fullest, so that others stay whole. GPUS_MAX: none. */
static uint32_t best_of(const struct gpu_pool *pool, const struct resources *wanted,
                        uint64_t without)
{
    uint32_t best = GPUS_MAX;
    for (uint32_t i = 0; i < count_of(pool); i++) {
        if ((without >> i & 1U) == 0 && slot_fits(&pool->slot[i], wanted) &&
            (best == GPUS_MAX || pool->slot[i].shares > pool->slot[best].shares))
            best = i;
    }
    return best;
}

uint64_t gpu_pool_choose(const struct gpu_pool *pool, const struct resources *wanted)
{
    uint64_t set = 0;
    uint32_t best;
    for (uint64_t left = needed(wanted);
         left > 0 && (best = best_of(pool, wanted, set)) != GPUS_MAX; left--)
        set |= UINT64_C(1) << best;
    return set;
}

void gpu_pool_take(struct gpu_pool *pool, uint64_t set, const struct resources *wanted)
{
    for (uint32_t i = 0; i < GPUS_MAX; i++) {
        if ((set >> i & 1U) == 0)
            continue;
        struct gpu_slot *slot = &pool->slot[i];
        slot->whole += wanted->amount[RESOURCE_GPU_SHARE] == 0;
        slot->shares += (uint32_t)wanted->amount[RESOURCE_GPU_SHARE];
        slot->promised_bytes += wanted->amount[RESOURCE_GPU_MEMORY];
    }
}

void gpu_pool_give_back(struct gpu_pool *pool, uint64_t set, const struct resources *wanted)
{
    const bool whole = wanted->amount[RESOURCE_GPU_SHARE] == 0;
    for (uint32_t i = 0; i < GPUS_MAX; i++) {
        if ((set >> i & 1U) == 0)
            continue;
        struct gpu_slot *slot = &pool->slot[i];
        assert(slot->whole >= whole && slot->shares >= wanted->amount[RESOURCE_GPU_SHARE] &&
               slot->promised_bytes >= wanted->amount[RESOURCE_GPU_MEMORY]);
        slot->whole -= whole;
        slot->shares -= (uint32_t)wanted->amount[RESOURCE_GPU_SHARE];
        slot->promised_bytes -= wanted->amount[RESOURCE_GPU_MEMORY];
    }
}

uint32_t gpu_pool_usable(const struct gpu_pool *pool)
{
    uint32_t usable = pool->lent;
    for (uint32_t i = 0; i < pool->count; i++)
        usable += !pool->slot[i].out || pool->slot[i].whole > 0;
    return usable;
}

uint32_t gpu_pool_free(const struct gpu_pool *pool)
{
    uint32_t unused = 0;
    for (uint32_t i = 0; i < pool->count; i++) {
        const struct gpu_slot *slot = &pool->slot[i];
        unused += !slot->out && slot->whole == 0 && slot->shares == 0;
    }
    return unused;
}
