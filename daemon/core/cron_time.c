#include "daemon/core/cron_time.h"

#include <time.h>

#define MINUTES_A_DAY 1440
#define SECONDS_A_DAY 86400
#define YEARS_AHEAD 48

static int64_t divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool has(uint64_t bits, int bit)
{
    return (bits >> (unsigned)bit & 1U) != 0;
}

static bool day_matches(const struct cron_spec *spec, const struct tm *day)
{
    bool by_day = has(spec->days, day->tm_mday);
    bool by_weekday = has(spec->weekdays, day->tm_wday);
    return spec->any_day || spec->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* The first matching minute of a day from `minute` on, or -1. */
static int minute_in_day(const struct cron_spec *spec, int minute)
{
    for (int hour = minute / 60; hour < 24; hour++, minute = 0) {
        if (!has(spec->hours, hour))
            continue;
        for (int m = minute % 60; m < 60; m++) {
            if (has(spec->minutes, m))
                return hour * 60 + m;
        }
    }
    return -1;
}

/* The first matching local time from `local_s` on, seconds counted as if local time were UTC. */
static int64_t next_local(const struct cron_spec *spec, int64_t local_s)
{
    int64_t minute = divide_down(local_s + 59, 60);
    int64_t day = divide_down(minute, MINUTES_A_DAY);
    int64_t end = day + YEARS_AHEAD * INT64_C(366);
    int start = (int)(minute - day * MINUTES_A_DAY);
    for (; day < end; start = 0) {
        struct tm date;
        time_t midnight = (time_t)(day * SECONDS_A_DAY);
        if (gmtime_r(&midnight, &date) == NULL)
            return CRON_NEVER;
        if (!has(spec->months, date.tm_mon + 1)) {
            struct tm first = {.tm_year = date.tm_year, .tm_mon = date.tm_mon + 1, .tm_mday = 1};
            day = divide_down((int64_t)timegm(&first), SECONDS_A_DAY);
            continue;
        }
        int found = day_matches(spec, &date) ? minute_in_day(spec, start) : -1;
        if (found >= 0)
            return (int64_t)midnight + found * INT64_C(60);
        day++;
    }
    return CRON_NEVER;
}

/* The local time from which on a span's times are new at the instant `at`. By the wall's rule that
 * is what the clock shows; by the other, times of the span before do not come again, and at the
 * very start of a span the times that were left out are still to come. */
static int64_t first_new_local(const struct cron_spec *spec, const struct zone_span *span,
                               zone_span_fn span_at, void *zone, int64_t at)
{
    int64_t shown = at + span->offset_s;
    if (spec->real_time || span->from == INT64_MIN)
        return shown;
    struct zone_span before;
    span_at(zone, span->from - 1, &before);
    int64_t seen = span->from + before.offset_s;
    return at == span->from || seen > shown ? seen : shown;
}

int64_t cron_next(const struct cron_spec *spec, zone_span_fn span_at, void *zone, int64_t after_s)
{
    int64_t at = after_s + 1;
    int64_t horizon = at + YEARS_AHEAD * INT64_C(366) * SECONDS_A_DAY;
    while (at < horizon) {
        struct zone_span span;
        span_at(zone, at, &span);
        int64_t local = next_local(spec, first_new_local(spec, &span, span_at, zone, at));
        if (local == CRON_NEVER)
            return CRON_NEVER;
        int64_t found = local - span.offset_s;
        if (found < at) /* it was left out */
            found = at;
        if (found < span.until)
            return found;
        at = span.until;
    }
    return CRON_NEVER;
}

int64_t cron_last(const struct cron_spec *spec, zone_span_fn span_at, void *zone, int64_t since_s,
                  int64_t until_s)
{
    int64_t low = since_s; /* one comes after it */
    int64_t high = until_s;
    int64_t found = cron_next(spec, span_at, zone, low);
    if (found > until_s)
        return CRON_NEVER;
    while (low + 1 < high) {
        int64_t middle = low + (high - low) / 2;
        int64_t next = cron_next(spec, span_at, zone, middle);
        if (next > until_s) {
            high = middle;
        } else {
            low = middle;
            found = next;
        }
    }
    return found;
}
