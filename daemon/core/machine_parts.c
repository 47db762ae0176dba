#include "daemon/core/machine_parts.h"

#include "common/alloc.h"

#include <stdlib.h>
#include <string.h>

struct machine_part *machine_parts_need(struct machine_parts *parts, enum machine_part_kind kind,
                                        const char *name)
{
    unsigned of_kind = 0;
    for (unsigned i = 0; i < parts->count; i++) {
        of_kind += parts->part[i].kind == kind;
        if (parts->part[i].kind == kind && strcmp(parts->part[i].name, name) == 0)
            return &parts->part[i];
    }
    if (of_kind == MACHINE_PARTS_OF_KIND)
        return NULL;
    struct machine_part *part = &parts->part[parts->count++];
    *part = (struct machine_part){.kind = kind, .name = xstrdup(name)};
    return part;
}

void machine_parts_done(struct machine_parts *parts)
{
    for (unsigned i = 0; i < parts->count; i++)
        free(parts->part[i].name);
    parts->count = 0;
}

void machine_range_add(struct machine_range *range, uint64_t value)
{
    if (value > INT64_MAX)
        return;
    const struct machine_range one = {1, (int64_t)value, (int64_t)value, (int64_t)value};
    machine_range_join(range, &one);
}

void machine_range_join(struct machine_range *range, const struct machine_range *more)
{
    int64_t sum;
    if (more->count == 0 || __builtin_add_overflow(range->sum, more->sum, &sum))
        return;
    if (range->count == 0 || more->lowest < range->lowest)
        range->lowest = more->lowest;
    if (range->count == 0 || more->highest > range->highest)
        range->highest = more->highest;
    range->sum = sum;
    range->count += more->count;
}
