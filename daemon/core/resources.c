#include "daemon/core/resources.h"

#include <assert.h>

bool resources_fit(const struct resources *wanted, const struct resources *there)
{
    bool fits = true;
    for (int kind = 0; kind < RESOURCE_KINDS; kind++)
        fits &= wanted->amount[kind] <= there->amount[kind];
    return fits;
}

void resources_add(struct resources *sum, const struct resources *more)
{
    for (int kind = 0; kind < RESOURCE_KINDS; kind++)
        sum->amount[kind] += more->amount[kind];
}

void resources_take(struct resources *sum, const struct resources *less)
{
    for (int kind = 0; kind < RESOURCE_KINDS; kind++) {
        assert(sum->amount[kind] >= less->amount[kind]);
        sum->amount[kind] -= less->amount[kind];
    }
}

double resources_dominant(const struct resources *wanted, const struct resources *total)
{
    double largest = 0;
    for (int kind = 0; kind < RESOURCE_KINDS; kind++) {
        if (wanted->amount[kind] == 0 || total->amount[kind] == 0)
            continue;
        double share = (double)wanted->amount[kind] / (double)total->amount[kind];
        largest = share > largest ? share : largest;
    }
    return largest;
}
