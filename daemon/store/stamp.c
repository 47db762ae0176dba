#include "daemon/store/stamp.h"

#include <sqlite3.h>

#define VERSION_BITS 8U
#define VERSION_MASK ((1U << VERSION_BITS) - 1U)
#define LINK_MASK 0x7fffffU /* 23 bits: the number is never negative */
#define LINKED_SINCE 7U

static uint32_t link_of(uint32_t stamp)
{
    return stamp >> VERSION_BITS & LINK_MASK;
}

static uint32_t with_link(uint32_t stamp, uint32_t link)
{
    return (link & LINK_MASK) << VERSION_BITS | stamp_version(stamp);
}

unsigned stamp_version(uint32_t stamp)
{
    return stamp & VERSION_MASK;
}

bool stamp_is_linked(uint32_t stamp)
{
    return stamp_version(stamp) >= LINKED_SINCE;
}

uint32_t stamp_random(uint32_t stamp)
{
    uint32_t link;
    sqlite3_randomness(sizeof(link), &link);
    return with_link(stamp, link);
}

uint32_t stamp_next(uint32_t stamp)
{
    return with_link(stamp, link_of(stamp) + 1);
}

uint32_t stamp_raised(uint32_t stamp)
{
    uint32_t raised = stamp + 1;
    if (stamp_is_linked(stamp))
        return stamp_next(raised);
    return stamp_is_linked(raised) ? stamp_random(raised) : raised;
}

bool stamp_is_followed(uint32_t stamp, uint32_t found, bool first)
{
    return stamp_is_linked(found) && (link_of(found) == link_of(stamp) ||
                                      (first && link_of(found) == link_of(stamp_next(stamp))));
}
