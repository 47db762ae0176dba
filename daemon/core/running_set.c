#include "daemon/core/running_set.h"

#include "common/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_JOBS 128U /* 4 KiB; so many take as long to look at as a thousand blocks at most */

/* A number is a count and the place where the rest is found, in the low bits: 16 million may run at
 * once, and a million million one after another. */
#define PLACE_BITS 24U

struct running_block {
    struct resources held; /* by all of its jobs */
    uint32_t count;
    struct running jobs[BLOCK_JOBS];
};

/* Where to look for a number: by when it ends. Of a free one, the next free place + 1. */
struct running_place {
    int64_t ends_at;
    uint64_t run; /* 0: free */
};

/* One of all that run, in order. */
struct cursor {
    size_t block;
    uint32_t at;
};

void running_set_done(struct running_set *set)
{
    for (size_t i = 0; i < set->block_count; i++)
        free(set->blocks[i]);
    free(set->blocks);
    free(set->places);
    *set = (struct running_set){0};
}

/* ---- places ---- */

static uint64_t take_place(struct running_set *set, int64_t ends_at)
{
    uint32_t place = set->free_place;
    if (place > 0) {
        set->free_place = (uint32_t)set->places[--place].ends_at;
    } else {
        if (set->place_count == set->place_room) {
            set->place_room = set->place_room == 0 ? 64 : set->place_room * 2;
            set->places = xreallocarray(set->places, set->place_room, sizeof(*set->places));
        }
        place = set->place_count++;
    }
    assert(place < 1U << PLACE_BITS);
    uint64_t run = ++set->last << PLACE_BITS | place;
    set->places[place] = (struct running_place){.ends_at = ends_at, .run = run};
    return run;
}

static void free_place(struct running_set *set, uint64_t run)
{
    uint32_t place = run & ((1U << PLACE_BITS) - 1);
    set->places[place] = (struct running_place){.ends_at = set->free_place};
    set->free_place = place + 1;
}

/* ---- order ---- */

static bool ends_before(const struct running *a, const struct running *b)
{
    return a->ends_at != b->ends_at ? a->ends_at < b->ends_at : a->run < b->run;
}

/* The block that it belongs into: the last that begins before it, or the first. There is one. */
static size_t block_of(const struct running_set *set, const struct running *one)
{
    size_t low = 0;
    for (size_t high = set->block_count - 1; low < high;) {
        size_t middle = (low + high + 1) / 2;
        if (ends_before(one, &set->blocks[middle]->jobs[0]))
            high = middle - 1;
        else
            low = middle;
    }
    return low;
}

/* How many of the block are before it. */
static uint32_t position_in(const struct running_block *block, const struct running *one)
{
    uint32_t low = 0;
    for (uint32_t high = block->count; low < high;) {
        uint32_t middle = (low + high) / 2;
        if (ends_before(&block->jobs[middle], one))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- in and out ---- */

static struct running_block *new_block(struct running_set *set, size_t at)
{
    if (set->block_count == set->block_room) {
        set->block_room = set->block_room == 0 ? 4 : set->block_room * 2;
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers to blocks */
        set->blocks = xreallocarray(set->blocks, set->block_room, sizeof(*set->blocks));
    }
    memmove(&set->blocks[at + 1], &set->blocks[at],
            (set->block_count++ - at) * sizeof(struct running_block *));
    return set->blocks[at] = xcalloc(1, sizeof(struct running_block));
}

static void move_half(struct running_block *block, const struct request_table *requests,
                      struct running_block *behind)
{
    uint32_t cut = block->count / 2;
    behind->count = block->count - cut;
    memcpy(behind->jobs, &block->jobs[cut], behind->count * sizeof(behind->jobs[0]));
    block->count = cut;
    for (uint32_t i = 0; i < behind->count; i++)
        resources_add(&behind->held, request_table_at(requests, behind->jobs[i].request));
    resources_take(&block->held, &behind->held);
}

uint64_t running_set_add(struct running_set *set, const struct request_table *requests,
                         const struct running *one)
{
    struct running mine = *one;
    mine.run = take_place(set, one->ends_at);
    if (set->block_count == 0)
        (void)new_block(set, 0);
    size_t number = block_of(set, &mine);
    if (set->blocks[number]->count == BLOCK_JOBS) {
        struct running_block *behind = new_block(set, number + 1);
        move_half(set->blocks[number], requests, behind);
        number = block_of(set, &mine);
    }
    struct running_block *block = set->blocks[number];
    uint32_t at = position_in(block, &mine);
    memmove(&block->jobs[at + 1], &block->jobs[at], (block->count++ - at) * sizeof(mine));
    block->jobs[at] = mine;
    resources_add(&block->held, request_table_at(requests, mine.request));
    return mine.run;
}

bool running_set_take(struct running_set *set, const struct request_table *requests, uint64_t run,
                      struct running *ret_was)
{
    uint64_t place = run & ((1U << PLACE_BITS) - 1);
    if (run == 0 || place >= set->place_count || set->places[place].run != run)
        return false;
    const struct running wanted = {.run = run, .ends_at = set->places[place].ends_at};
    size_t number = block_of(set, &wanted);
    struct running_block *block = set->blocks[number];
    uint32_t at = position_in(block, &wanted);
    *ret_was = block->jobs[at];
    resources_take(&block->held, request_table_at(requests, ret_was->request));
    memmove(&block->jobs[at], &block->jobs[at + 1], (--block->count - at) * sizeof(wanted));
    free_place(set, run);
    if (block->count == 0 && set->block_count > 1) {
        free(block);
        memmove(&set->blocks[number], &set->blocks[number + 1],
                (--set->block_count - number) * sizeof(struct running_block *));
    }
    return true;
}

bool running_set_is_empty(const struct running_set *set)
{
    return set->block_count == 0 || set->blocks[0]->count == 0;
}

void running_set_walk(struct running_set *set, void (*visit)(struct running *one, void *arg),
                      void *arg)
{
    for (size_t number = 0; number < set->block_count; number++) {
        struct running_block *block = set->blocks[number];
        for (uint32_t i = 0; i < block->count; i++)
            visit(&block->jobs[i], arg);
    }
}

/* ---- room ---- */

static const struct running *at_cursor(const struct running_set *set, const struct cursor *cursor)
{
    return cursor->block < set->block_count && cursor->at < set->blocks[cursor->block]->count
               ? &set->blocks[cursor->block]->jobs[cursor->at]
               : NULL;
}

static void advance(const struct running_set *set, struct cursor *cursor)
{
    if (++cursor->at < set->blocks[cursor->block]->count)
        return;
    cursor->block++;
    cursor->at = 0;
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

/* Ends all of the block when it begins here, its ends are all known, and even that is not enough.
 */
static bool end_block(const struct running_set *set, struct cursor *cursor,
                      const struct resources *wanted, struct occupancy *occupancy)
{
    const struct running_block *block = set->blocks[cursor->block];
    if (cursor->at > 0 || block->jobs[block->count - 1].ends_at == NEVER)
        return false;
    struct occupancy after = *occupancy;
    resources_take(&after.used, &block->held);
    if (fits(wanted, &after))
        return false;
    *occupancy = after;
    cursor->block++;
    return true;
}

/* The first that is to end at `now` or later. */
static struct cursor first_due(const struct running_set *set, int64_t now)
{
    const struct running due = {.ends_at = now};
    struct cursor cursor = {0};
    if (set->block_count == 0)
        return cursor;
    cursor.block = block_of(set, &due);
    cursor.at = position_in(set->blocks[cursor.block], &due);
    if (cursor.at > 0 && cursor.at == set->blocks[cursor.block]->count)
        cursor = (struct cursor){.block = cursor.block + 1};
    return cursor;
}

/* One after another, up to `stop` (NULL: all). */
static void end_until_it_fits(const struct running_set *set, const struct request_table *requests,
                              const struct resources *wanted, struct cursor *next,
                              const struct cursor *stop, struct occupancy *occupancy)
{
    const struct running *one;
    while ((one = at_cursor(set, next)) != NULL && !fits(wanted, occupancy)) {
        if (stop != NULL && next->block == stop->block && next->at == stop->at)
            return;
        end_one(one, requests, occupancy);
        advance(set, next);
    }
}

int64_t running_set_room(const struct running_set *set, const struct request_table *requests,
                         const struct resources *wanted, int64_t now, struct occupancy *occupancy)
{
    const struct running *one;
    const struct cursor due = first_due(set, now);
    struct cursor next = due;
    while ((one = at_cursor(set, &next)) != NULL && one->ends_at != NEVER) {
        int64_t instant = one->ends_at;
        if (end_block(set, &next, wanted, occupancy))
            continue;
        for (; one != NULL && one->ends_at == instant; one = at_cursor(set, &next)) {
            end_one(one, requests, occupancy);
            advance(set, &next);
        }
        if (fits(wanted, occupancy))
            return instant;
    }
    struct cursor late = {0}; /* those before `due` should have ended */
    end_until_it_fits(set, requests, wanted, &late, &due, occupancy);
    end_until_it_fits(set, requests, wanted, &next, NULL, occupancy);
    return NEVER;
}
