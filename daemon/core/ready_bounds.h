/* What many waiting jobs ask for at least, in little: for each width, a class of numbers of
 * processors, how short the shortest job is among those so wide or less. It says at once that none
 * of them fits; that one may, it only says of its own. Bounds of many users stand in a table, so
 * that one look passes over all users none of whose jobs fits. */
#ifndef BATCHD_DAEMON_CORE_READY_BOUNDS_H
#define BATCHD_DAEMON_CORE_READY_BOUNDS_H

#include "daemon/core/gpu_pool.h"
#include "daemon/core/request_table.h"

#include <stddef.h>

/* In half octaves: 0, 1, 2, 3, 4-5, 6-7, 8-11, 12-15 ... 49,152 and more processors. */
#define READY_WIDTHS 32U
/* No job; an estimate is at most one less. */
#define READY_NOTHING UINT32_MAX

/* What may start: it must fit into `free`, and either end within `window_us` or fit into
 * `left_over` too. */
struct ready_limits {
    const struct request_table *requests;
    const struct gpu_pool *gpus; /* as they are; NULL: they are not looked at one by one */
    uint64_t gpu_news;           /* another number when they changed by themselves */
    struct resources free;
    struct resources left_over;
    int64_t window_us;
    bool gpus_beside; /* whether what asks for GPUs may fit into left_over */
    uint64_t depth;   /* a search looks at so many jobs and nodes, 0: at all */
    uint64_t visits;  /* so many more in the set that is searched now; counts down */
};

/* Whether all that is within `limits` is within `others` too. */
bool ready_limits_within(const struct ready_limits *limits, const struct ready_limits *others);

/* Seconds rounded down, by width: of jobs so wide or less. */
struct ready_bounds {
    uint32_t shortest[READY_WIDTHS];
};

unsigned ready_width(uint64_t cpus);
uint32_t ready_seconds(int64_t us); /* less than READY_NOTHING */

void ready_bounds_clear(struct ready_bounds *bounds); /* of no job */
void ready_bounds_take(struct ready_bounds *bounds, uint32_t cpus, uint32_t estimate_s);
void ready_bounds_merge(struct ready_bounds *bounds, const struct ready_bounds *more);

/* The limits as bounds are compared with them. */
struct ready_search {
    struct ready_limits *limits;
    uint64_t cpus, cpus_beside; /* free, and free beside the reservation */
    unsigned width, width_beside;
    uint32_t window_s;
};

struct ready_search ready_search_of(struct ready_limits *limits);

/* Whether some of these jobs may be within the limits: false is certain. */
static inline bool ready_may_hold(const struct ready_bounds *bounds,
                                  const struct ready_search *search)
{
    return bounds->shortest[search->width] <= search->window_s ||
           bounds->shortest[search->width_beside] != READY_NOTHING;
}

/* Bounds of users, by their number. */
struct ready_table {
    uint32_t *rows[READY_WIDTHS]; /* by width, then by user; owned */
    size_t count, room;
};

void ready_table_done(struct ready_table *table);
void ready_table_grow(struct ready_table *table, size_t count); /* more users, without jobs */
void ready_table_set(struct ready_table *table, size_t user, const struct ready_bounds *bounds);
void ready_table_take(struct ready_table *table, size_t user, uint32_t cpus, uint32_t estimate_s);
/* The first user from this one on whose jobs may be within the limits, or the count. */
size_t ready_table_next(const struct ready_table *table, const struct ready_search *search,
                        size_t user);

#endif
