#include "daemon/core/headroom.h"

/* Promises are counted in whole MiB, rounded up. */
#define MEBI (UINT64_C(1) << 20)

uint64_t headroom_elsewhere(const struct headroom *headroom)
{
    const uint64_t there = headroom->available + headroom->taken;
    if (headroom->promised >= headroom->installed + MEBI || there >= headroom->promised)
        return 0;
    return headroom->promised - there;
}
