#include "daemon/exec/replacement.h"

#include "common/clock.h"

#define PAUSE_MAX_US (60 * US_PER_SECOND)

static int64_t pause_after(unsigned row)
{
    if (row < 2)
        return 0;
    return row - 2 < 6 ? US_PER_SECOND << (row - 2) : PAUSE_MAX_US;
}

void replacement_died(struct replacement *replacement, int64_t made_at, bool early, int64_t now)
{
    replacement->deaths++;
    if (!early || (replacement->row > 0 && made_at < replacement->row_at))
        return;
    replacement->row++;
    replacement->row_at = now;
    replacement->next_at = now + pause_after(replacement->row);
}

void replacement_well(struct replacement *replacement)
{
    replacement->row = 0;
    replacement->next_at = 0;
}

bool replacement_may(const struct replacement *replacement, uint64_t coming, int64_t now)
{
    return replacement->row == 0 || (coming == 0 && now >= replacement->next_at);
}
