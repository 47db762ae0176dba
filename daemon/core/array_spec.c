#include "daemon/core/array_spec.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULE "must be indices (0 to 4294967295) and ranges: 0-99, 1,3,5, 0-30:2, 0-99%8"

static uint64_t range_count(const struct array_range *range)
{
    return (range->last - range->first) / range->step + 1;
}

static int refuse(struct error *err, const char *text, const char *rule)
{
    return error_set_field(err, "array", "array \"%.80s\" %s", text, rule);
}

static int refuse_falling(struct error *err, const char *text, const struct array_range *range)
{
    return error_set_field(err, "array",
                           "array \"%.80s\" must have in %llu-%llu a first index that does not "
                           "exceed the last",
                           text, (unsigned long long)range->first, (unsigned long long)range->last);
}

/* What is read as an index: larger than one may be, so that an array of 2^40 tasks is refused for
 * its size, and by the limit that is configured. */
#define NUMBER_MAX (UINT64_C(1) << 52)

/* "7", "0-99" or "0-30:2". */
static int parse_range(char *word, struct array_range *ret, bool *ret_falls)
{
    char *colon = strchr(word, ':');
    char *dash = strchr(word, '-');
    ret->step = 1;
    if (colon != NULL) {
        *colon = '\0';
        if (dash == NULL || parse_u64(colon + 1, 1, NUMBER_MAX, &ret->step, NULL) < 0)
            return -1;
    }
    if (dash != NULL)
        *dash = '\0';
    if (parse_u64(word, 0, NUMBER_MAX, &ret->first, NULL) < 0)
        return -1;
    ret->last = ret->first;
    if (dash != NULL && parse_u64(dash + 1, 0, NUMBER_MAX, &ret->last, NULL) < 0)
        return -1;
    *ret_falls = ret->last < ret->first;
    if (*ret_falls)
        return -1;
    ret->last -= (ret->last - ret->first) % ret->step;
    return 0;
}

/* There is room up to the next power of two. */
static void put_range(struct array_spec *spec, const struct array_range *range)
{
    size_t count = spec->range_count;
    if (spec->ranges == NULL || (count & (count - 1)) == 0)
        spec->ranges =
            xreallocarray(spec->ranges, count == 0 ? 1 : 2 * count, sizeof(*spec->ranges));
    spec->ranges[spec->range_count] = *range;
    spec->ranges[spec->range_count++].before = spec->total;
}

static int add_range(struct array_spec *spec, const struct array_range *range, const char *text,
                     struct error *err)
{
    if (spec->range_count == ARRAY_RANGES_MAX)
        return refuse(err, text, "has over 1000 parts; say it by ranges such as 0-99");
    if (spec->range_count > 0 && spec->ranges[spec->range_count - 1].last >= range->first)
        return refuse(err, text, "must have its indices in ascending order, each once");
    put_range(spec, range);
    spec->total += range_count(range);
    return 0;
}

static int parse_limit(char *words, const char *text, struct array_spec *spec, struct error *err)
{
    char *percent = strchr(words, '%');
    if (percent == NULL)
        return 0;
    *percent = '\0';
    if (parse_u64(percent + 1, 1, ARRAY_INDEX_MAX, &spec->limit, NULL) < 0)
        return refuse(err, text, "must have a number of at least 1 behind %");
    return 0;
}

static int parse(const char *text, uint64_t max_tasks, struct array_spec *spec, struct error *err)
{
    CLEANUP_FREE char *words = xstrdup(text);
    if (parse_limit(words, text, spec, err) < 0)
        return -1;
    for (char *word = words; word != NULL;) {
        struct array_range range;
        bool falls = false;
        char *comma = strchr(word, ',');
        if (comma != NULL)
            *comma = '\0';
        if (parse_range(word, &range, &falls) < 0)
            return falls ? refuse_falling(err, text, &range) : refuse(err, text, RULE);
        if (add_range(spec, &range, text, err) < 0)
            return -1;
        word = comma == NULL ? NULL : comma + 1;
    }
    if (spec->total <= max_tasks)
        return spec->ranges[spec->range_count - 1].last <= ARRAY_INDEX_MAX
                   ? 0
                   : refuse(err, text, RULE);
    return error_set_field(err, "array",
                           "array \"%.80s\" has %llu tasks; the limit is %llu (daemon.array_max in "
                           "the configuration raises it)",
                           text, (unsigned long long)spec->total, (unsigned long long)max_tasks);
}

int array_spec_parse(const char *text, uint64_t max_tasks, struct array_spec *ret,
                     struct error *err)
{
    struct array_spec spec = {.ranges = NULL};
    if (parse(text, max_tasks, &spec, err) < 0) {
        array_spec_done(&spec);
        return -1;
    }
    *ret = spec;
    return 0;
}

/* Whether `range` goes on where `last` ends; then *ret_step is the step of both together. */
static bool goes_on(const struct array_range *last, const struct array_range *range,
                    uint64_t *ret_step)
{
    uint64_t gap = range->first - last->last;
    bool last_fits = last->first == last->last || last->step == gap;
    bool range_fits = range->first == range->last || range->step == gap;
    *ret_step = gap;
    return last_fits && range_fits;
}

int array_spec_append(struct array_spec *spec, const struct array_range *range)
{
    struct array_range *last = spec->range_count == 0 ? NULL : &spec->ranges[spec->range_count - 1];
    uint64_t step;
    if (last != NULL && goes_on(last, range, &step)) {
        last->last = range->last;
        last->step = step;
    } else if (spec->range_count == ARRAY_RANGES_MAX) {
        return -1;
    } else {
        put_range(spec, range);
    }
    spec->total += range_count(range);
    return 0;
}

char *array_spec_format(const struct array_spec *spec)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL)
        out_of_memory();
    for (size_t i = 0; i < spec->range_count; i++) {
        const struct array_range *range = &spec->ranges[i];
        (void)fprintf(out, "%s%llu", i == 0 ? "" : ",", (unsigned long long)range->first);
        if (range->last > range->first)
            (void)fprintf(out, "-%llu", (unsigned long long)range->last);
        if (range->last > range->first && range->step > 1)
            (void)fprintf(out, ":%llu", (unsigned long long)range->step);
    }
    if (spec->limit > 0)
        (void)fprintf(out, "%%%llu", (unsigned long long)spec->limit);
    if (fclose(out) != 0)
        out_of_memory();
    return text;
}

void array_spec_done(struct array_spec *spec)
{
    free(spec->ranges);
    *spec = (struct array_spec){.ranges = NULL};
}

/* The range that holds `position`. */
static const struct array_range *range_at(const struct array_spec *spec, uint64_t position)
{
    size_t low = 0;
    size_t high = spec->range_count - 1; /* the last range that does not begin behind it */
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (spec->ranges[middle].before <= position)
            low = middle;
        else
            high = middle - 1;
    }
    return &spec->ranges[low];
}

uint64_t array_spec_index(const struct array_spec *spec, uint64_t position)
{
    const struct array_range *range = range_at(spec, position);
    return range->first + (position - range->before) * range->step;
}

bool array_spec_same_tasks(const struct array_spec *a, const struct array_spec *b)
{
    if (a->total != b->total)
        return false;
    for (uint64_t at = 0; at < a->total;) {
        const struct array_range *mine = range_at(a, at);
        const struct array_range *other = range_at(b, at);
        uint64_t end = mine->before + range_count(mine);
        uint64_t other_end = other->before + range_count(other);
        end = end < other_end ? end : other_end;
        if (array_spec_index(a, at) != array_spec_index(b, at) ||
            (end - at > 1 && mine->step != other->step))
            return false;
        at = end;
    }
    return true;
}

bool array_spec_position(const struct array_spec *spec, uint64_t index, uint64_t *ret)
{
    size_t low = 0;
    size_t high = spec->range_count; /* the first range that ends at it or behind */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (spec->ranges[middle].last < index)
            low = middle + 1;
        else
            high = middle;
    }
    const struct array_range *range = &spec->ranges[low];
    if (low == spec->range_count || index < range->first ||
        (index - range->first) % range->step != 0)
        return false;
    *ret = range->before + (index - range->first) / range->step;
    return true;
}
