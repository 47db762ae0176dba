#include "daemon/core/deadlines.h"

#include "common/alloc.h"

#include <stdlib.h>

#define FIRST_ROOM 64U

void deadlines_done(struct deadlines *set)
{
    free(set->entries);
    *set = (struct deadlines){.entries = NULL};
}

static bool comes_before(const struct deadline *a, const struct deadline *b)
{
    return a->at != b->at ? a->at < b->at : a->job < b->job;
}

static void move_up(struct deadlines *set, size_t at, struct deadline deadline)
{
    while (at > 0 && comes_before(&deadline, &set->entries[(at - 1) / 2])) {
        set->entries[at] = set->entries[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    set->entries[at] = deadline;
}

static void move_down(struct deadlines *set, size_t at, struct deadline deadline)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < set->count && comes_before(&set->entries[child + 1], &set->entries[child]))
            child++;
        if (child >= set->count || !comes_before(&set->entries[child], &deadline))
            break;
        set->entries[at] = set->entries[child];
        at = child;
    }
    set->entries[at] = deadline;
}

/* Without those that have ended; makes room for more when few have. */
static void tidy(struct deadlines *set, deadline_open_fn open, const void *arg)
{
    size_t count = set->count;
    set->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (open(arg, set->entries[i].job)) {
            struct deadline kept = set->entries[i];
            move_up(set, set->count++, kept);
        }
    }
    if (set->count <= set->room / 2 && set->room > 0)
        return;
    set->room = set->room == 0 ? FIRST_ROOM : set->room * 2;
    set->entries = xreallocarray(set->entries, set->room, sizeof(*set->entries));
}

void deadlines_add(struct deadlines *set, const struct deadline *deadline, deadline_open_fn open,
                   const void *arg)
{
    if (set->count == set->room)
        tidy(set, open, arg);
    move_up(set, set->count++, *deadline);
}

void deadlines_remove(struct deadlines *set, const struct deadline *deadline)
{
    size_t at = 0;
    while (at < set->count &&
           (set->entries[at].job != deadline->job || set->entries[at].at != deadline->at))
        at++;
    if (at == set->count)
        return;
    /* The last one has its place: it may belong above it or below. */
    const struct deadline last = set->entries[--set->count];
    if (at == set->count)
        return;
    if (comes_before(&last, deadline))
        move_up(set, at, last);
    else
        move_down(set, at, last);
}

bool deadlines_due(const struct deadlines *set, int64_t now)
{
    return set->count > 0 && set->entries[0].at <= now;
}

bool deadlines_take(struct deadlines *set, int64_t now, struct deadline *ret)
{
    if (!deadlines_due(set, now))
        return false;
    *ret = set->entries[0];
    struct deadline last = set->entries[--set->count];
    if (set->count > 0)
        move_down(set, 0, last);
    return true;
}
