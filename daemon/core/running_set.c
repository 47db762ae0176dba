#include "daemon/core/running_set.h"

#include "common/alloc.h"

#include <stdlib.h>
#include <string.h>

void running_set_done(struct running_set *set)
{
    free(set->entries);
    *set = (struct running_set){0};
}

static bool ends_before(const struct running *a, const struct running *b)
{
    return a->ends_at != b->ends_at ? a->ends_at < b->ends_at : a->run < b->run;
}

void running_set_add(struct running_set *set, const struct running *one)
{
    if (set->count == set->room) {
        set->room = set->room == 0 ? 64 : set->room * 2;
        set->entries = xreallocarray(set->entries, set->room, sizeof(*set->entries));
    }
    size_t at = set->count++;
    for (; at > 0 && ends_before(one, &set->entries[at - 1]); at--)
        set->entries[at] = set->entries[at - 1];
    set->entries[at] = *one;
}

bool running_set_take(struct running_set *set, uint64_t run, struct running *ret_was)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->entries[i].run != run)
            continue;
        *ret_was = set->entries[i];
        memmove(&set->entries[i], &set->entries[i + 1], (--set->count - i) * sizeof(*set->entries));
        return true;
    }
    return false;
}

static bool fits(const struct resources *wanted, const struct occupancy *occupancy)
{
    struct resources there;
    resources_left(&occupancy->total, &occupancy->used, &there);
    return resources_fit(wanted, &there);
}

static void end_one(const struct running *running, const struct request_table *requests,
                    struct occupancy *occupancy)
{
    resources_take(&occupancy->used, request_table_at(requests, running->request));
}

int64_t running_set_room(const struct running_set *set, const struct request_table *requests,
                         const struct resources *wanted, int64_t now, struct occupancy *occupancy)
{
    size_t late = 0; /* the first so many should have ended */
    while (late < set->count && set->entries[late].ends_at < now)
        late++;
    size_t i = late;
    while (i < set->count && set->entries[i].ends_at != NEVER) {
        int64_t instant = set->entries[i].ends_at;
        for (; i < set->count && set->entries[i].ends_at == instant; i++)
            end_one(&set->entries[i], requests, occupancy);
        if (fits(wanted, occupancy))
            return instant;
    }
    for (size_t j = 0; j < late && !fits(wanted, occupancy); j++)
        end_one(&set->entries[j], requests, occupancy);
    for (; i < set->count && !fits(wanted, occupancy); i++)
        end_one(&set->entries[i], requests, occupancy);
    return NEVER;
}
