#include "daemon/core/gpus.h"

#include <stdio.h>

uint64_t gpus_lowest_free(uint64_t used, uint64_t count, uint64_t total)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < GPUS_MAX && i < total && count > 0; i++) {
        uint64_t bit = UINT64_C(1) << i;
        if ((used & bit) != 0)
            continue;
        found |= bit;
        count--;
    }
    return found;
}

void gpus_format(uint64_t gpus, char ret[GPUS_TEXT_BYTES])
{
    size_t used = 0;
    ret[0] = '\0';
    for (unsigned i = 0; i < GPUS_MAX; i++) {
        if ((gpus >> i & 1U) != 0)
            used += (size_t)snprintf(ret + used, GPUS_TEXT_BYTES - used, "%s%u",
                                     used == 0 ? "" : ",", i);
    }
}
