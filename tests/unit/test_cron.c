/* Specifications of schedules: what is read and refused, and when they come, against a naive
 * reference that looks at every minute of four years with the C library's own time zones. */
#include "daemon/core/cron_time.h"
#include "daemon/resources/zone.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- reading ---- */

START_TEST(fields_lists_ranges_steps_and_names)
{
    struct cron_spec spec;
    struct error err;
    ck_assert_int_eq(cron_spec_parse(" 0,30  */6\t1-7/3 JAN,mar-5 FRI-SUN ", &spec, &err), 0);
    ck_assert_uint_eq(spec.minutes, 1U | UINT64_C(1) << 30);
    ck_assert_uint_eq(spec.hours, 1U | 1U << 6 | 1U << 12 | 1U << 18);
    ck_assert_uint_eq(spec.days, 1U << 1 | 1U << 4 | 1U << 7);
    ck_assert_uint_eq(spec.months, 1U << 1 | 7U << 3);
    ck_assert_uint_eq(spec.weekdays, 1U | 1U << 5 | 1U << 6);
    ck_assert(!spec.any_day && !spec.any_weekday && spec.real_time);
    ck_assert_int_eq(cron_spec_parse("5 4 * * 7", &spec, &err), 0);
    ck_assert_uint_eq(spec.weekdays, 1U);
    ck_assert(spec.any_day && !spec.any_weekday && !spec.real_time);
    ck_assert_int_eq(cron_spec_parse("@Daily", &spec, &err), 0);
    ck_assert(spec.minutes == 1 && spec.hours == 1 && spec.any_day && spec.any_weekday);
}
END_TEST

START_TEST(refused_with_the_field_named)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"", "has 0 fields"},
        {"* * * *", "has 4 fields"},
        {"* * * * * *", "has 6 fields"},
        {"60 * * * *", "minute \"60\" in at: it must be 0 to 59"},
        {"* 24 * * *", "hour \"24\""},
        {"* * 0 * *", "day of the month \"0\" in at: it must be 1 to 31"},
        {"* * 32 * *", "day of the month"},
        {"* * * 13 *", "1 to 12 or JAN to DEC"},
        {"* * * * 8", "0 to 7 or SUN to SAT"},
        {"* * * foo *", "month \"foo\""},
        {"JAN * * * *", "minute"},
        {"* * * * mond", "it must be *"},
        {"5-1 * * * *", "upwards"},
        {"* 22-2 * * *", "upwards"},
        {"5/15 * * * *", "a step goes with"},
        {"*/0 * * * *", "a step must be"},
        {"*/60 * * * *", "a step must be"},
        {"*/ * * * *", "a step must be"},
        {"1, * * * *", "minute \"\""},
        {",1 * * * *", "minute \"\""},
        {"1-2-3 * * * *", "commas between"},
        {"** * * * *", "commas between"},
        {"-1 * * * *", "minute"},
        {"1- * * * *", "minute"},
        {"99999999999 * * * *", "minute"},
        {"@reboot", "names no time"},
        {"@often", "@hourly"},
        {"0 0 30 2 *", "never comes"},
        {"0 0 31 4,6,9,11 *", "never comes"},
        {"0 0 30 FEB */2", "never comes"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct cron_spec spec = {.hours = 77};
        struct error err = {.code = ERROR_NONE};
        ck_assert_msg(cron_spec_parse(wrong[i].text, &spec, &err) < 0, "%s", wrong[i].text);
        ck_assert_str_eq(err.field, "at");
        ck_assert_msg(strstr(err.text, wrong[i].says) != NULL, "%s: %s", wrong[i].text, err.text);
        ck_assert_uint_eq(spec.hours, 77);
    }
    char absurd[CRON_TEXT_MAX + 100];
    struct cron_spec spec;
    struct error err;
    memset(absurd, '1', sizeof(absurd));
    absurd[sizeof(absurd) - 1] = '\0';
    ck_assert_int_lt(cron_spec_parse(absurd, &spec, &err), 0);
    ck_assert_int_eq(cron_spec_parse("0 0 30 2 MON", &spec, &err), 0); /* each Monday in February */
}
END_TEST

/* ---- the naive reference ---- */

#define FIRST 1767225600 /* 2026-01-01 UTC */
#define MINUTES (4 * 365 * 1440 + 1440)

struct minute {
    int64_t local; /* minutes since the epoch, as the clock on the wall shows them */
    uint8_t field[5];
};

static struct minute *minutes_of(const char *zone)
{
    struct minute *all = calloc(MINUTES, sizeof(*all));
    ck_assert_int_eq(setenv("TZ", zone, 1), 0);
    tzset();
    for (int i = 0; i < MINUTES; i++) {
        struct tm tm;
        time_t at = FIRST + (time_t)i * 60;
        localtime_r(&at, &tm);
        all[i] =
            (struct minute){.local = (at + tm.tm_gmtoff) / 60,
                            .field = {(uint8_t)tm.tm_min, (uint8_t)tm.tm_hour, (uint8_t)tm.tm_mday,
                                      (uint8_t)(tm.tm_mon + 1), (uint8_t)tm.tm_wday}};
    }
    return all;
}

static long value_of(const char *text)
{
    static const char *const months = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
    static const char *const days = "SUNMONTUEWEDTHUFRISAT";
    if (strchr("0123456789", text[0]) != NULL)
        return strtol(text, NULL, 10);
    char name[4] = {text[0], text[1], text[2], '\0'};
    const char *month = strstr(months, name);
    return month != NULL ? (month - months) / 3 + 1 : (strstr(days, name) - days) / 3;
}

static bool element_has(const char *element, long value, long most)
{
    const char *dash = strchr(element, '-');
    const char *slash = strchr(element, '/');
    long step = slash == NULL ? 1 : strtol(slash + 1, NULL, 10);
    long first = element[0] == '*' ? (most == 31 || most == 12) : value_of(element);
    long last = element[0] == '*' ? most : dash != NULL ? value_of(dash + 1) : first;
    for (long one = first; one <= last; one += step) {
        if (one == value || (most == 7 && one == 7 && value == 0))
            return true;
    }
    return false;
}

static bool field_has(const char *field, long value, long most)
{
    char copy[200];
    char *rest = NULL;
    (void)snprintf(copy, sizeof(copy), "%s", field);
    for (char *word = strtok_r(copy, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
        if (element_has(word, value, most))
            return true;
    }
    return false;
}

struct naive {
    bool has[5][60];
    bool star[5];
};

static void naive_read(const char *text, struct naive *ret)
{
    static const long most[5] = {59, 23, 31, 12, 7};
    char copy[200];
    char *rest = NULL;
    (void)snprintf(copy, sizeof(copy), "%s", text);
    char *word = strtok_r(copy, " ", &rest);
    for (int field = 0; field < 5; field++, word = strtok_r(NULL, " ", &rest)) {
        ret->star[field] = word[0] == '*';
        for (long value = 0; value < 60; value++)
            ret->has[field][value] = field_has(word, value, most[field]);
    }
}

static bool naive_matches(const struct naive *naive, const uint8_t field[5])
{
    bool day = naive->has[2][field[2]];
    bool weekday = naive->has[4][field[4]];
    return naive->has[0][field[0]] && naive->has[1][field[1]] && naive->has[3][field[3]] &&
           (naive->star[2] || naive->star[4] ? day && weekday : day || weekday);
}

/* A time that the clock never showed: its fields are worked out by the calendar alone. */
static bool naive_matches_local(const struct naive *naive, int64_t local)
{
    struct tm tm;
    time_t at = local * 60;
    gmtime_r(&at, &tm);
    const uint8_t field[5] = {(uint8_t)tm.tm_min, (uint8_t)tm.tm_hour, (uint8_t)tm.tm_mday,
                              (uint8_t)(tm.tm_mon + 1), (uint8_t)tm.tm_wday};
    return naive_matches(naive, field);
}

/* What must run at minute i, when `seen` is the latest time that the clock has shown before it. */
static bool naive_runs(const struct naive *naive, const struct minute *minute, int64_t seen)
{
    if (naive->star[0] || naive->star[1] || minute->local == seen + 1)
        return naive_matches(naive, minute->field);
    for (int64_t local = seen + 1; local <= minute->local; local++) {
        if (naive_matches_local(naive, local))
            return true;
    }
    return false;
}

static const char *const zones[] = {"UTC",
                                    "Europe/Berlin",
                                    "America/New_York",
                                    "Australia/Lord_Howe", /* by half an hour */
                                    "America/Santiago",    /* at midnight */
                                    "Africa/Casablanca",   /* back for a month */
                                    "Asia/Kathmandu"};

static const char *const texts[] = {"* * * * *",
                                    "*/7 * * * *",
                                    "0 * * * *",
                                    "30 * * * *",
                                    "0 0 * * *",
                                    "30 2 * * *",
                                    "*/15 2 * * *",
                                    "0,20,40 1-3 * * *",
                                    "0 */2 * * *",
                                    "15 1,2 * * SUN",
                                    "59 23 31 * *",
                                    "0 12 29 2 *",
                                    "0 3 1,15 * FRI",
                                    "0 3 */2 * 5",
                                    "10 2 */3 MAR-NOV/2 MON-FRI",
                                    "5-55/10 0-23/5 * * *",
                                    "0 0 1 1 *",
                                    "0 0 13 * 5",
                                    "45 1 * * 0,7",
                                    "0 9-17 * * 1-5"};

static void compare(const char *zone_text, const char *text, const struct minute *all)
{
    struct error err;
    struct cron_spec spec;
    struct naive naive;
    struct zone *zone = zone_new(zone_text, &err);
    ck_assert_ptr_nonnull(zone);
    ck_assert_int_eq(cron_spec_parse(text, &spec, &err), 0);
    naive_read(text, &naive);
    int64_t next = cron_next(&spec, zone_span_at, zone, FIRST);
    int64_t seen = all[0].local;
    int64_t last = CRON_NEVER;
    for (int i = 1; i < MINUTES; i++) {
        int64_t at = FIRST + (int64_t)i * 60;
        bool runs = naive_runs(&naive, &all[i], seen);
        if (runs != (next == at)) /* ck_assert writes to a pipe each time */
            ck_abort_msg("\"%s\" in %s: at %lld %s, found %lld", text, zone_text, (long long)at,
                         runs ? "must run" : "must not", (long long)next);
        if (runs) {
            last = at;
            next = cron_next(&spec, zone_span_at, zone, at);
        }
        if (i % 9973 == 0)
            ck_assert_int_eq(cron_last(&spec, zone_span_at, zone, FIRST, at + 7), last);
        seen = all[i].local > seen ? all[i].local : seen;
    }
    zone_free(zone);
}

START_TEST(every_minute_of_four_years)
{
    struct minute *all = minutes_of(zones[_i]);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        compare(zones[_i], texts[i], all);
    free(all);
}
END_TEST

/* ---- what is known by hand ---- */

static int64_t utc(int year, int month, int day, int hour, int minute)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute};
    return timegm(&tm);
}

static int64_t next_of(const char *text, const char *zone_text, int64_t after)
{
    struct error err;
    struct cron_spec spec;
    struct zone *zone = zone_new(zone_text, &err);
    ck_assert_int_eq(cron_spec_parse(text, &spec, &err), 0);
    int64_t next = cron_next(&spec, zone_span_at, zone, after);
    zone_free(zone);
    return next;
}

START_TEST(the_clock_is_put_forward_and_back)
{
    static const char *const zone =
        "Europe/Berlin"; /* 2027: March 28 01:00, October 31 01:00 UTC */
    int64_t spring = utc(2027, 3, 28, 1, 0);
    int64_t autumn = utc(2027, 10, 31, 1, 0);
    ck_assert_int_eq(next_of("30 2 * * *", zone, spring - 3600), spring);
    ck_assert_int_eq(next_of("30 2 * * *", zone, spring), spring + 86400 - 1800);
    ck_assert_int_eq(next_of("0,30 2 * * *", zone, spring), spring + 86400 - 3600);
    ck_assert_int_eq(next_of("*/30 2 * * *", zone, spring - 3600), spring + 86400 - 3600);
    ck_assert_int_eq(next_of("30 2 * * *", zone, autumn - 7200), autumn - 1800);
    ck_assert_int_eq(next_of("30 2 * * *", zone, autumn - 1800), autumn + 86400 + 1800);
    ck_assert_int_eq(next_of("30 * * * *", zone, autumn - 1800), autumn + 1800);
    /* A whole day is left out: Samoa went from December 29 to December 31, 2011. */
    ck_assert_int_eq(next_of("0 12 30 12 *", "Pacific/Apia", utc(2011, 12, 30, 9, 59)),
                     utc(2011, 12, 30, 10, 0));
}
END_TEST

START_TEST(rare_days)
{
    ck_assert_int_eq(next_of("0 0 29 2 *", "UTC", utc(2097, 1, 1, 0, 0)), utc(2104, 2, 29, 0, 0));
    /* Sunday alone, and since the field begins with "*", the 29th of February too. */
    ck_assert_int_eq(next_of("0 0 29 2 */7", "UTC", utc(2088, 2, 29, 0, 0)),
                     utc(2128, 2, 29, 0, 0));
    ck_assert_int_eq(next_of("0 0 31 12 *", "UTC", utc(2026, 12, 31, 0, 0)),
                     utc(2027, 12, 31, 0, 0));
}
END_TEST

START_TEST(zones_by_name)
{
    static const char *const wrong[] = {
        "",          "Nowhere",  "europe/berlin", "../zoneinfo/UTC", "/etc",      "Europe",
        "tzdata.zi", "zone.tab", "+02:00",        "EST5EDT,M3.2.0",  "right/UTC", "Europe/Berlin "};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct error err = {.code = ERROR_NONE};
        ck_assert_ptr_null(zone_new(wrong[i], &err));
        ck_assert_str_eq(err.field, "timezone");
    }
    char text[ZONE_TIME_BYTES];
    struct error err;
    struct zone *zone = zone_new("America/St_Johns", &err);
    zone_format(zone, utc(2026, 1, 1, 12, 0), text, sizeof(text));
    ck_assert_str_eq(text, "2026-01-01 08:30 -03:30");
    zone_free(zone);
    ck_assert_int_eq(setenv("TZ", ":Asia/Tokyo", 1), 0);
    zone = zone_new(NULL, &err);
    ck_assert_str_eq(zone_name(zone), "Asia/Tokyo");
    zone_free(zone);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cron");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, fields_lists_ranges_steps_and_names);
    tcase_add_test(all, refused_with_the_field_named);
    tcase_add_loop_test(all, every_minute_of_four_years, 0, sizeof(zones) / sizeof(zones[0]));
    tcase_add_test(all, the_clock_is_put_forward_and_back);
    tcase_add_test(all, rare_days);
    tcase_add_test(all, zones_by_name);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
