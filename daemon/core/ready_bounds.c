#include "daemon/core/ready_bounds.h"

#include "common/alloc.h"
#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

bool ready_limits_within(const struct ready_limits *limits, const struct ready_limits *others)
{
    return limits->gpu_news == others->gpu_news && limits->gpus_beside <= others->gpus_beside &&
           limits->window_us <= others->window_us && resources_fit(&limits->free, &others->free) &&
           resources_fit(&limits->left_over, &others->left_over);
}

unsigned ready_width(uint64_t cpus)
{
    if (cpus < 4)
        return (unsigned)cpus;
    unsigned log = 63U - (unsigned)__builtin_clzll(cpus);
    unsigned width = 2 * log + (unsigned)(cpus >> (log - 1) & 1U);
    return width < READY_WIDTHS ? width : READY_WIDTHS - 1;
}

uint32_t ready_seconds(int64_t us)
{
    int64_t seconds = us / US_PER_SECOND;
    return seconds >= READY_NOTHING ? READY_NOTHING - 1 : (uint32_t)seconds;
}

void ready_bounds_clear(struct ready_bounds *bounds)
{
    memset(bounds->shortest, 0xff, sizeof(bounds->shortest));
}

/* Wider ones are bounded by what is as short already. */
void ready_bounds_take(struct ready_bounds *bounds, uint32_t cpus, uint32_t estimate_s)
{
    for (unsigned width = ready_width(cpus);
         width < READY_WIDTHS && bounds->shortest[width] > estimate_s; width++)
        bounds->shortest[width] = estimate_s;
}

void ready_bounds_merge(struct ready_bounds *bounds, const struct ready_bounds *more)
{
    for (unsigned width = 0; width < READY_WIDTHS; width++) {
        uint32_t other = more->shortest[width];
        bounds->shortest[width] = other < bounds->shortest[width] ? other : bounds->shortest[width];
    }
}

struct ready_search ready_search_of(struct ready_limits *limits)
{
    uint64_t cpus = limits->free.amount[RESOURCE_CPUS];
    uint64_t beside = limits->left_over.amount[RESOURCE_CPUS];
    beside = beside < cpus ? beside : cpus;
    return (struct ready_search){.limits = limits,
                                 .cpus = cpus,
                                 .cpus_beside = beside,
                                 .width = ready_width(cpus),
                                 .width_beside = ready_width(beside),
                                 .window_s = ready_seconds(limits->window_us)};
}

void ready_table_done(struct ready_table *table)
{
    for (unsigned width = 0; width < READY_WIDTHS; width++)
        free(table->rows[width]);
    *table = (struct ready_table){0};
}

void ready_table_grow(struct ready_table *table, size_t count)
{
    if (count > table->room) {
        table->room = count < 16 ? 16 : count * 2;
        for (unsigned width = 0; width < READY_WIDTHS; width++)
            table->rows[width] =
                xreallocarray(table->rows[width], table->room, sizeof(*table->rows[width]));
    }
    for (unsigned width = 0; width < READY_WIDTHS; width++)
        memset(table->rows[width] + table->count, 0xff,
               (count - table->count) * sizeof(*table->rows[width]));
    table->count = count;
}

void ready_table_set(struct ready_table *table, size_t user, const struct ready_bounds *bounds)
{
    for (unsigned width = 0; width < READY_WIDTHS; width++)
        table->rows[width][user] = bounds->shortest[width];
}

void ready_table_take(struct ready_table *table, size_t user, uint32_t cpus, uint32_t estimate_s)
{
    for (unsigned width = ready_width(cpus);
         width < READY_WIDTHS && table->rows[width][user] > estimate_s; width++)
        table->rows[width][user] = estimate_s;
}

size_t ready_table_next(const struct ready_table *table, const struct ready_search *search,
                        size_t user)
{
    const uint32_t *shortest = table->rows[search->width];
    const uint32_t *beside = table->rows[search->width_beside];
    while (user < table->count && shortest[user] > search->window_s &&
           beside[user] == READY_NOTHING)
        user++;
    return user;
}
