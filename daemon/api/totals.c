#include "daemon/api/totals.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

/* Bounds what a user makes the daemon keep: further names are counted, but not told apart. */
#define GROUPS_MAX 20000U

struct total {
    char *name; /* owned */
    int64_t completed, failed, cancelled;
    int64_t started;
    double wait_us, run_us; /* sums */
};

struct totals {
    bool all;
    uint32_t uid;
    struct total *groups; /* owned */
    size_t count, room;
    int64_t others;  /* jobs of no group */
    json_t *numbers; /* the number of each group, by its name */
};

struct totals *totals_new(bool all, uint32_t uid)
{
    struct totals *totals = xcalloc(1, sizeof(*totals));
    *totals = (struct totals){.all = all, .uid = uid, .numbers = json_object()};
    return totals;
}

void totals_free(struct totals *totals)
{
    if (totals == NULL)
        return;
    for (size_t i = 0; i < totals->count; i++)
        free(totals->groups[i].name);
    free(totals->groups);
    json_decref(totals->numbers);
    free(totals);
}

/* The group that it counts to; NULL: there are too many. */
static struct total *group_of(struct totals *totals, const struct ended *ended)
{
    const json_t *number = json_object_get(totals->numbers, ended->name);
    if (number != NULL)
        return &totals->groups[json_integer_value(number)];
    if (totals->count == GROUPS_MAX)
        return NULL;
    if (totals->count == totals->room) {
        totals->room = totals->room == 0 ? 64 : totals->room * 2;
        totals->groups = xreallocarray(totals->groups, totals->room, sizeof(*totals->groups));
    }
    /* A name may be no UTF-8: then it has a group each time, up to the limit. */
    (void)json_object_set_new_nocheck(totals->numbers, ended->name,
                                      json_integer((json_int_t)totals->count));
    totals->groups[totals->count] = (struct total){.name = xstrdup(ended->name)};
    return &totals->groups[totals->count++];
}

void totals_add(void *arg, const struct ended *ended)
{
    struct totals *totals = arg;
    if (!totals->all && ended->uid != totals->uid)
        return;
    struct total *total = group_of(totals, ended);
    if (total == NULL) {
        totals->others += ended->count;
        return;
    }
    int64_t *count = ended->state == JOB_STATE_COMPLETED ? &total->completed
                     : ended->state == JOB_STATE_FAILED  ? &total->failed
                                                         : &total->cancelled;
    *count += ended->count;
    if (!ended->started)
        return;
    total->started++;
    total->wait_us += (double)ended->wait_us;
    total->run_us += (double)ended->run_us;
}

/* ---- the view ---- */

static int64_t sum_of(const struct total *total)
{
    return total->completed + total->failed + total->cancelled;
}

/* The most jobs first; nothing else may decide differently from call to call. */
static int compare(const void *a, const void *b, void *arg)
{
    const struct total *groups = arg;
    const struct total *first = &groups[*(const size_t *)a];
    const struct total *second = &groups[*(const size_t *)b];
    if (sum_of(first) != sum_of(second))
        return sum_of(first) > sum_of(second) ? -1 : 1;
    return strcmp(first->name, second->name);
}

/* Milliseconds to a thousandth. */
static json_t *view_mean(double us, int64_t count)
{
    if (count == 0)
        return json_null();
    return json_real((double)(int64_t)(us / (double)count + 0.5) / (double)US_PER_MS);
}

static json_t *view_total(const struct total *total)
{
    json_t *object = json_object();
    json_put_text(object, "name", total->name);
    json_put_int(object, "completed", total->completed);
    json_put_int(object, "failed", total->failed);
    json_put_int(object, "cancelled", total->cancelled);
    json_put(object, "wait_ms", view_mean(total->wait_us, total->started));
    json_put(object, "run_ms", view_mean(total->run_us, total->started));
    return object;
}

json_t *totals_view(const struct totals *totals, size_t most, uint64_t *ret_left_out)
{
    json_t *list = json_array();
    int64_t left_out = totals->others;
    CLEANUP_FREE size_t *order = xcalloc(totals->count + 1, sizeof(*order));
    for (size_t i = 0; i < totals->count; i++)
        order[i] = i;
    qsort_r(order, totals->count, sizeof(*order), compare, totals->groups);
    for (size_t i = 0; i < totals->count; i++) {
        const struct total *total = &totals->groups[order[i]];
        if (sum_of(total) + total->started == 0)
            continue;
        if (json_array_size(list) < most)
            (void)json_array_append_new(list, view_total(total));
        else
            left_out += sum_of(total);
    }
    *ret_left_out = left_out < 0 ? 0 : (uint64_t)left_out;
    return list;
}
