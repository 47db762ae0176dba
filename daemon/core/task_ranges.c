#include "daemon/core/task_ranges.h"

#include "common/alloc.h"

#include <stdlib.h>
#include <string.h>

void task_ranges_done(struct task_ranges *set)
{
    free(set->ranges);
    *set = (struct task_ranges){.ranges = NULL};
}

/* The first range that ends at `position` or beyond; `count` when there is none. */
static size_t find(const struct task_ranges *set, uint64_t position)
{
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->ranges[middle].last < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void task_ranges_add(struct task_ranges *set, uint64_t first, uint64_t last)
{
    size_t at = find(set, first == 0 ? 0 : first - 1); /* one that ends right before it joins */
    size_t end = at;
    struct task_range joined = {first, last};
    while (end < set->count && set->ranges[end].first <= last + 1) {
        const struct task_range *other = &set->ranges[end++];
        joined.first = other->first < joined.first ? other->first : joined.first;
        joined.last = other->last > joined.last ? other->last : joined.last;
    }
    if (end == at)
        set->ranges = xreallocarray(set->ranges, set->count + 1, sizeof(*set->ranges));
    memmove(set->ranges + at + 1, set->ranges + end, (set->count - end) * sizeof(*set->ranges));
    set->ranges[at] = joined;
    set->count = set->count - (end - at) + 1;
}

void task_ranges_minus(const struct task_ranges *set, uint64_t from,
                       const struct task_ranges *without, struct task_ranges *ret)
{
    for (size_t i = find(set, from); i < set->count; i++) {
        uint64_t first = set->ranges[i].first > from ? set->ranges[i].first : from;
        uint64_t last = set->ranges[i].last;
        for (size_t j = find(without, first); j < without->count && first <= last; j++) {
            const struct task_range *cut = &without->ranges[j];
            if (cut->first > last)
                break;
            if (cut->first > first)
                task_ranges_add(ret, first, cut->first - 1);
            first = cut->last + 1;
        }
        if (first <= last)
            task_ranges_add(ret, first, last);
    }
}

bool task_ranges_next(const struct task_ranges *set, const struct task_ranges *without,
                      uint64_t from, struct task_range *ret)
{
    for (size_t at; (at = find(set, from)) < set->count;) {
        const struct task_range *range = &set->ranges[at];
        uint64_t first = from > range->first ? from : range->first;
        size_t next = find(without, first);
        bool cut = next < without->count && without->ranges[next].first <= range->last;
        if (!cut || without->ranges[next].first > first) {
            ret->first = first;
            ret->last = cut ? without->ranges[next].first - 1 : range->last;
            return true;
        }
        from = without->ranges[next].last + 1;
    }
    return false;
}

uint64_t task_ranges_first(const struct task_ranges *set)
{
    return set->count == 0 ? 0 : set->ranges[0].first;
}

bool task_ranges_has(const struct task_ranges *set, uint64_t position)
{
    size_t at = find(set, position);
    return at < set->count && set->ranges[at].first <= position;
}

uint64_t task_ranges_skip(const struct task_ranges *set, uint64_t position)
{
    size_t at = find(set, position);
    return at < set->count && set->ranges[at].first <= position ? set->ranges[at].last + 1
                                                                : position;
}

uint64_t task_ranges_count(const struct task_ranges *set, uint64_t from)
{
    uint64_t count = 0;
    for (size_t i = find(set, from); i < set->count; i++) {
        uint64_t first = set->ranges[i].first > from ? set->ranges[i].first : from;
        count += set->ranges[i].last - first + 1;
    }
    return count;
}

/* ---- by indices ---- */

static int refuse(struct error *err, const char *text, const char *rule)
{
    return error_set_field(err, "indices", "indices \"%.80s\" %s", text, rule);
}

/* The least value from `from` on that is first + n * step. */
static uint64_t align(const struct array_range *range, uint64_t from)
{
    if (from <= range->first)
        return range->first;
    uint64_t past = (from - range->first) % range->step;
    return past == 0 ? from : from + range->step - past;
}

/* The tasks of one range of the array that a part of the selection names: one range of positions
 * when the part leaves none out, else one by one. 0, or -1: these are too many parts. */
static int select_in(const struct array_range *range, const struct array_range *part,
                     struct task_ranges *ret)
{
    uint64_t base = range->before;
    uint64_t last = range->last < part->last ? range->last : part->last;
    uint64_t index = align(range, part->first);
    if (range->step % part->step == 0) {
        if (index <= last && range->first % part->step == part->first % part->step)
            task_ranges_add(ret, base + (index - range->first) / range->step,
                            base + (last - range->first) / range->step);
        return 0;
    }
    /* By the longer step, so that it takes no longer than the array has tasks. */
    const struct array_range *wide = range->step > part->step ? range : part;
    for (index = align(wide, index); index <= last; index += wide->step) {
        if ((index - range->first) % range->step != 0 || (index - part->first) % part->step != 0)
            continue;
        uint64_t position = base + (index - range->first) / range->step;
        task_ranges_add(ret, position, position);
        if (ret->count > ARRAY_RANGES_MAX)
            return -1;
    }
    return 0;
}

static int select_part(const struct array_spec *spec, const struct array_range *part,
                       const char *text, struct task_ranges *ret, struct error *err)
{
    uint64_t before = task_ranges_count(ret, 0);
    for (size_t i = 0; i < spec->range_count; i++) {
        const struct array_range *range = &spec->ranges[i];
        if (range->first > part->last)
            break;
        if (range->last >= part->first && select_in(range, part, ret) < 0)
            return refuse(err, text, "has over 1000 parts; say it by ranges such as 0-99");
    }
    if (task_ranges_count(ret, 0) > before)
        return 0;
    (void)error_set_field(err, "indices", "indices \"%.80s\": the array has no task %llu%s", text,
                          (unsigned long long)part->first,
                          part->first == part->last ? "" : " or beyond in that part");
    if (err != NULL)
        err->code = ERROR_NOT_FOUND;
    return -1;
}

int task_ranges_select(const struct array_spec *spec, const char *text, struct task_ranges *ret,
                       struct error *err)
{
    struct array_spec wanted = {.ranges = NULL};
    struct task_ranges set = {.ranges = NULL};
    if (array_spec_parse(text, UINT64_MAX, &wanted, NULL) < 0 || wanted.limit > 0) {
        array_spec_done(&wanted);
        return refuse(err, text, "must be indices in ascending order: 7 or 1-3,9");
    }
    int result = 0;
    for (size_t i = 0; i < wanted.range_count && result == 0; i++)
        result = select_part(spec, &wanted.ranges[i], text, &set, err);
    array_spec_done(&wanted);
    if (result == 0)
        *ret = set;
    else
        task_ranges_done(&set);
    return result;
}
