#include "daemon/core/resources.h"

#include <string.h>

#include <assert.h>

bool resources_fit(const struct resources *wanted, const struct resources *there)
{
    bool fits = true;
    for (int kind = 0; kind < RESOURCE_COUNTED; kind++)
        fits &= wanted->amount[kind] <= there->amount[kind];
    return fits;
}

bool resources_equal(const struct resources *a, const struct resources *b)
{
    return memcmp(a->amount, b->amount, sizeof(a->amount)) == 0;
}

uint64_t resources_times(const struct resources *wanted, const struct resources *there,
                         uint64_t limit)
{
    uint64_t times = limit;
    for (int kind = 0; kind < RESOURCE_COUNTED; kind++) {
        if (wanted->amount[kind] > 0 && there->amount[kind] / wanted->amount[kind] < times)
            times = there->amount[kind] / wanted->amount[kind];
    }
    return times;
}

void resources_add(struct resources *sum, const struct resources *more)
{
    for (int kind = 0; kind < RESOURCE_COUNTED; kind++)
        sum->amount[kind] += more->amount[kind];
}

void resources_take(struct resources *sum, const struct resources *less)
{
    for (int kind = 0; kind < RESOURCE_COUNTED; kind++) {
        assert(sum->amount[kind] >= less->amount[kind]);
        sum->amount[kind] -= less->amount[kind];
    }
}

void resources_left(const struct resources *total, const struct resources *used,
                    struct resources *ret)
{
    ret->amount[RESOURCE_GPU_SHARE] = ret->amount[RESOURCE_GPU_MEMORY] = 0;
    for (int kind = 0; kind < RESOURCE_COUNTED; kind++)
        ret->amount[kind] =
            total->amount[kind] > used->amount[kind] ? total->amount[kind] - used->amount[kind] : 0;
}

double resources_dominant(const struct resources *wanted, const struct resources *total)
{
    double largest = 0;
    if (total->amount[RESOURCE_GPUS] > 0)
        largest = (double)wanted->amount[RESOURCE_GPU_SHARE] / 1000 /
                  (double)total->amount[RESOURCE_GPUS];
    for (int kind = 0; kind <= RESOURCE_GPUS; kind++) {
        if (wanted->amount[kind] == 0 || total->amount[kind] == 0)
            continue;
        double share = (double)wanted->amount[kind] / (double)total->amount[kind];
        largest = share > largest ? share : largest;
    }
    return largest;
}
