#include "daemon/api/rates.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Each has some 6 KB while it is summed up. There are as many queues and types as this only where
 * they come and go; of further ones what ended is counted. */
#define GROUPS_MAX 1000U

struct rate {
    uint32_t uid;
    char *name; /* owned; NULL: a user */
    struct rollup rollup;
};

struct rates {
    enum rate_by by;
    bool all;
    uint32_t uid;
    int64_t first_minute, span_us;
    struct rollup sum;
    struct rate *groups[GROUPS_MAX]; /* owned, sorted as they are looked for */
    size_t count;
    int64_t others; /* ends of no group */
};

static const char *const by_words[RATE_BY_COUNT] = {[RATE_BY_USER] = "user",
                                                    [RATE_BY_QUEUE] = "queue",
                                                    [RATE_BY_NAME] = "name",
                                                    [RATE_BY_TYPE] = "type"};

const char *rate_by_word(enum rate_by by)
{
    return by_words[by];
}

struct rates *rates_new(enum rate_by by, bool all, uint32_t uid)
{
    struct rates *rates = xcalloc(1, sizeof(*rates));
    rates->by = by;
    rates->all = all;
    rates->uid = uid;
    rates->first_minute = INT64_MAX;
    return rates;
}

void rates_free(struct rates *rates)
{
    if (rates == NULL)
        return;
    for (size_t i = 0; i < rates->count; i++) {
        free(rates->groups[i]->name);
        free(rates->groups[i]);
    }
    free(rates);
}

/* ---- the groups ---- */

static int compare(const struct rate *rate, uint32_t uid, const char *name)
{
    if (name != NULL)
        return strcmp(rate->name, name);
    return (rate->uid > uid) - (rate->uid < uid);
}

/* NULL: there are too many. */
static struct rate *find(struct rates *rates, uint32_t uid, const char *name)
{
    size_t low = 0;
    for (size_t high = rates->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (compare(rates->groups[middle], uid, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < rates->count && compare(rates->groups[low], uid, name) == 0)
        return rates->groups[low];
    if (rates->count == GROUPS_MAX)
        return NULL;
    memmove(&rates->groups[low + 1], &rates->groups[low],
            (rates->count++ - low) * sizeof(struct rate *));
    struct rate *rate = xcalloc(1, sizeof(*rate));
    rate->uid = uid;
    rate->name = name == NULL ? NULL : xstrdup(name);
    rates->groups[low] = rate;
    return rate;
}

void rates_add(void *arg, const struct rollup_key *key, const struct rollup *rollup)
{
    struct rates *rates = arg;
    if (!rates->all && key->uid != rates->uid)
        return;
    if (key->minute < rates->first_minute)
        rates->first_minute = key->minute;
    rollup_merge(&rates->sum, rollup);
    if (rates->by == RATE_BY_NAME)
        return;
    const char *name = rates->by == RATE_BY_QUEUE  ? key->queue
                       : rates->by == RATE_BY_TYPE ? key->type
                                                   : NULL;
    struct rate *rate = find(rates, key->uid, name);
    if (rate != NULL)
        rollup_merge(&rate->rollup, rollup);
    else
        rates->others += rollup_ended(rollup);
}

void rates_set_span(struct rates *rates, int64_t since, int64_t now)
{
    int64_t first = rates->first_minute == INT64_MAX ? now : rates->first_minute * ROLLUP_MINUTE_US;
    if (since > first)
        first = since / ROLLUP_MINUTE_US * ROLLUP_MINUTE_US;
    rates->span_us = now > first ? now - first : 0;
}

/* ---- the view ---- */

/* To a thousandth. */
static json_t *view_ms(double us)
{
    return json_real(round(us) / (double)US_PER_MS);
}

static json_t *view_mean(int64_t us, int64_t count)
{
    return count == 0 ? json_null() : view_ms((double)us / (double)count);
}

/* Of the whole, to a tenth of a percent. */
static json_t *view_percent(int64_t part, int64_t whole)
{
    return whole == 0 ? json_null() : json_real(round(1000.0 * (double)part / (double)whole) / 10);
}

static json_t *view_spans(const struct histogram *histogram)
{
    if (histogram_total(histogram) == 0)
        return json_null();
    json_t *object = json_object();
    json_put(object, "p50_ms", view_ms((double)histogram_percentile(histogram, 0.5)));
    json_put(object, "p90_ms", view_ms((double)histogram_percentile(histogram, 0.9)));
    json_put(object, "p99_ms", view_ms((double)histogram_percentile(histogram, 0.99)));
    return object;
}

static void put_rollup(const struct rates *rates, json_t *object, const struct rollup *rollup)
{
    static const struct {
        const char *name;
        enum rollup_number number;
    } counts[] = {{"completed", ROLLUP_COMPLETED}, {"failed", ROLLUP_FAILED},
                  {"cancelled", ROLLUP_CANCELLED}, {"submitted", ROLLUP_SUBMITTED},
                  {"started", ROLLUP_STARTED},     {"retried", ROLLUP_RETRIED}};
    const int64_t *numbers = rollup->numbers;
    const double hours = (double)rates->span_us / (3600.0 * US_PER_SECOND);
    const int64_t done = numbers[ROLLUP_COMPLETED];
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        json_put_int(object, counts[i].name, numbers[counts[i].number]);
    json_put(object, "per_hour",
             hours > 0 ? json_real(round(10 * (double)rollup_ended(rollup) / hours) / 10)
                       : json_null());
    json_put(object, "success_percent", view_percent(done, done + numbers[ROLLUP_FAILED]));
    json_put(object, "retry_percent",
             view_percent(numbers[ROLLUP_RETRIED], numbers[ROLLUP_STARTED]));
    json_put(object, "wait_ms", view_mean(numbers[ROLLUP_WAIT_US], numbers[ROLLUP_STARTED]));
    json_put(object, "run_ms", view_mean(numbers[ROLLUP_RUN_US], numbers[ROLLUP_RAN]));
    json_put(object, "wait", view_spans(&rollup->waits));
    json_put(object, "run", view_spans(&rollup->runs));
    json_put(object, "cpu_ms", view_ms((double)numbers[ROLLUP_CPU_US]));
}

json_t *rates_view_sum(const struct rates *rates)
{
    json_t *object = json_object();
    put_rollup(rates, object, &rates->sum);
    json_put_int(object, "span_ms", rates->span_us / US_PER_MS);
    return object;
}

/* The most ends first, then as they are looked for. */
static int compare_ends(const void *a, const void *b)
{
    const struct rate *const *first = a;
    const struct rate *const *second = b;
    int64_t more = rollup_ended(&(*second)->rollup) - rollup_ended(&(*first)->rollup);
    if (more != 0)
        return more > 0 ? 1 : -1;
    return compare(*first, (*second)->uid, (*second)->name);
}

json_t *rates_view(const struct rates *rates, struct users *users, uint64_t *ret_left_out)
{
    json_t *list = json_array();
    const struct rate *order[GROUPS_MAX];
    for (size_t i = 0; i < rates->count; i++)
        order[i] = rates->groups[i];
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are sorted */
    qsort(order, rates->count, sizeof(order[0]), compare_ends);
    for (size_t i = 0; i < rates->count; i++) {
        const char *name = order[i]->name;
        json_t *object = json_object();
        if (rates->by == RATE_BY_TYPE && name[0] == '\0')
            name = NULL;
        json_put_text(object, rate_by_word(rates->by),
                      rates->by == RATE_BY_USER ? users_name(users, order[i]->uid) : name);
        put_rollup(rates, object, &order[i]->rollup);
        (void)json_array_append_new(list, object);
    }
    *ret_left_out = (uint64_t)rates->others;
    return list;
}
