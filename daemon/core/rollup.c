#include "daemon/core/rollup.h"

void rollup_merge(struct rollup *rollup, const struct rollup *more)
{
    for (unsigned i = 0; i < ROLLUP_NUMBER_COUNT; i++)
        rollup->numbers[i] += more->numbers[i];
    histogram_merge(&rollup->waits, &more->waits);
    histogram_merge(&rollup->runs, &more->runs);
}

int64_t rollup_ended(const struct rollup *rollup)
{
    return rollup->numbers[ROLLUP_COMPLETED] + rollup->numbers[ROLLUP_FAILED] +
           rollup->numbers[ROLLUP_CANCELLED];
}
