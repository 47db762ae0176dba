#include "common/parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MS_MAX 1e17 /* three million years: far from overflow in microseconds */

struct unit {
    const char *name;
    double factor;
};

static const struct unit span_units[] = {
    {"ms", 1},      {"s", 1000},     {"sec", 1000},    {"m", 60000}, {"min", 60000},
    {"h", 3600000}, {"d", 86400000}, {"w", 604800000}, {"", 1000},
};

static const struct unit size_units[] = {
    {"", 1}, {"k", 1024}, {"m", 1048576}, {"g", 1073741824}, {"t", 1099511627776},
};

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name,
                                    size_t length)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == length && strncasecmp(units[i].name, name, length) == 0)
            return &units[i];
    }
    return NULL;
}

/* An unsigned decimal: digits, at most one point. Moves *at behind it; -1 when there is none. */
static int take_decimal(const char **at, double *ret)
{
    const char *start = *at;
    bool digits = false;
    bool point = false;
    for (; isdigit((unsigned char)**at) || (**at == '.' && !point); (*at)++) {
        digits = digits || **at != '.';
        point = point || **at == '.';
    }
    if (!digits || *at - start > 30)
        return -1;
    *ret = strtod(start, NULL);
    return 0;
}

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct error *err)
{
    size_t digits = strspn(text, "0123456789");
    errno = 0;
    unsigned long long number = strtoull(text, NULL, 10);
    if (digits == 0 || text[digits] != '\0' || errno != 0 || number < min || number > max)
        return error_set(err, ERROR_INVALID, "\"%.60s\" is not a whole number from %llu to %llu",
                         text, (unsigned long long)min, (unsigned long long)max);
    *ret = number;
    return 0;
}

int parse_span_ms(const char *text, uint64_t *ret, struct error *err)
{
    const char *at = text;
    double total = 0;
    do {
        double number;
        if (take_decimal(&at, &number) < 0)
            goto bad;
        size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz");
        const struct unit *unit =
            find_unit(span_units, sizeof(span_units) / sizeof(span_units[0]), at, length);
        if (unit == NULL)
            goto bad;
        if (length == 0 && (at[0] != '\0' || strspn(text, "0123456789.") != strlen(text)))
            goto bad; /* a number without a unit stands alone */
        total += number * unit->factor;
        at += length;
    } while (*at != '\0');
    if (total > MS_MAX)
        goto bad;
    *ret = (uint64_t)llround(total);
    return 0;
bad:
    return error_set(err, ERROR_INVALID,
                     "\"%.60s\" is not a time span; examples: 90, 90s, 1h30m, 2d", text);
}

int parse_size(const char *text, uint64_t *ret, struct error *err)
{
    const char *at = text;
    double number;
    if (take_decimal(&at, &number) == 0) {
        size_t length = strlen(at);
        if (length >= 2 && strcasecmp(at + length - 2, "ib") == 0)
            length -= 2;
        else if (length >= 1 && (at[length - 1] == 'b' || at[length - 1] == 'B'))
            length -= 1;
        const struct unit *unit =
            find_unit(size_units, sizeof(size_units) / sizeof(size_units[0]), at, length);
        if (unit != NULL && number * unit->factor < 9e18) {
            *ret = (uint64_t)llround(number * unit->factor);
            return 0;
        }
    }
    return error_set(err, ERROR_INVALID, "\"%.60s\" is not a size; examples: 512M, 1.5G, 65536",
                     text);
}

int parse_signal(const char *text, int *ret, struct error *err)
{
    const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    uint64_t number;
    struct error ignored;
    for (int i = 1; i < NSIG; i++) {
        const char *known = sigabbrev_np(i);
        if (known != NULL && strcasecmp(known, name) == 0) {
            *ret = i;
            return 0;
        }
    }
    if (parse_u64(text, 1, 64, &number, &ignored) == 0) {
        *ret = (int)number;
        return 0;
    }
    return error_set(err, ERROR_INVALID, "\"%.30s\" is not a signal; examples: TERM, SIGUSR1, 15",
                     text);
}

void format_signal(int number, char *ret, size_t bytes)
{
    const char *name = sigabbrev_np(number);
    if (name != NULL)
        (void)snprintf(ret, bytes, "%s", name);
    else
        (void)snprintf(ret, bytes, "%d", number);
}

/* ---- points in time ---- */

#define US 1000000LL

static int64_t from_local(struct tm *local)
{
    local->tm_isdst = -1;
    return (int64_t)mktime(local) * US;
}

static struct tm local_of(int64_t at)
{
    time_t seconds = (time_t)(at / US);
    struct tm local;
    (void)localtime_r(&seconds, &local);
    return local;
}

/* HH:MM[:SS] at the start of *at. */
static int take_clock(const char **at, struct tm *local)
{
    int hour = 0;
    int minute = 0;
    int second = 0;
    int used = 0;
    if (sscanf(*at, "%2d:%2d%n", &hour, &minute, &used) < 2 || used < 4) // NOLINT(cert-err34-c)
        return -1;
    *at += used;
    if (**at == ':' && sscanf(*at, ":%2d%n", &second, &used) == 1) // NOLINT(cert-err34-c)
        *at += used;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return -1;
    local->tm_hour = hour;
    local->tm_min = minute;
    local->tm_sec = second;
    return 0;
}

/* Z, +HH:MM, -HH:MM or the same without the colon: 1 and the offset in seconds, 0 when there is
 * none, -1 wrong. */
static int take_zone(const char **at, long *ret_offset)
{
    unsigned hours;
    unsigned minutes;
    int used = 0;
    char sign = **at;
    if (sign == 'Z') {
        (*at)++;
        *ret_offset = 0;
        return 1;
    }
    if (sign != '+' && sign != '-')
        return 0;
    bool colon = strchr(*at, ':') != NULL;
    // NOLINTNEXTLINE(cert-err34-c): two digits cannot overflow
    int taken = sscanf(*at + 1, colon ? "%2u:%2u%n" : "%2u%2u%n", &hours, &minutes, &used);
    if (taken < 2 || used != 4 + colon || hours > 14 || minutes > 59)
        return -1;
    *at += used + 1;
    *ret_offset = (long)(hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
    return 1;
}

static int parse_date(const char *text, int64_t *ret)
{
    struct tm local = {0};
    long offset = 0;
    int used = 0;
    // NOLINTNEXTLINE(cert-err34-c): four digits cannot overflow
    if (sscanf(text, "%4d-%2d-%2d%n", &local.tm_year, &local.tm_mon, &local.tm_mday, &used) < 3 ||
        used != 10)
        return -1;
    text += used;
    local.tm_year -= 1900;
    local.tm_mon -= 1;
    struct tm wanted = local;
    if ((*text == ' ' || *text == 'T') && (text++, take_clock(&text, &local)) < 0)
        return -1;
    int zone = take_zone(&text, &offset);
    if (zone < 0 || *text != '\0')
        return -1;
    *ret = zone > 0 ? ((int64_t)timegm(&local) - offset) * US : from_local(&local);
    return local.tm_mon == wanted.tm_mon && local.tm_mday == wanted.tm_mday ? 0 : -1;
}

/* today, tomorrow, yesterday, each with an optional clock time; or a bare clock time. */
static int parse_day(const char *text, int64_t now, int future, int64_t *ret)
{
    static const struct {
        const char *word;
        int days;
    } days[] = {{"today", 0}, {"tomorrow", 1}, {"yesterday", -1}};
    struct tm local = local_of(now);
    local.tm_hour = local.tm_min = local.tm_sec = 0;
    bool named = false;
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(days[i].word);
        if (strncmp(text, days[i].word, length) == 0) {
            local.tm_mday += days[i].days;
            text += length;
            named = true;
            break;
        }
    }
    if (named && *text == ' ')
        text++;
    else if (named && *text != '\0')
        return -1;
    if (*text != '\0' && (take_clock(&text, &local) < 0 || *text != '\0'))
        return -1;
    *ret = from_local(&local);
    if (!named && future && *ret < now) {
        local.tm_mday++;
        *ret = from_local(&local);
    }
    return 0;
}

/* 146,000 years: added to any time of ours it fits. */
#define AWAY_MS_MAX ((uint64_t)(INT64_MAX / 2000))

int parse_time(const char *text, int64_t now, int future, int64_t *ret, struct error *err)
{
    uint64_t span = 0;
    struct error ignored;
    if (strcmp(text, "now") == 0) {
        *ret = now;
        return 0;
    }
    if (strncmp(text, "now", 3) == 0 && (text[3] == '+' || text[3] == '-') &&
        parse_span_ms(text + 4, &span, &ignored) == 0 && span <= AWAY_MS_MAX) {
        *ret = now + (text[3] == '+' ? 1 : -1) * (int64_t)span * 1000;
        return 0;
    }
    if (text[0] != '\0' && (parse_date(text, ret) == 0 || parse_day(text, now, future, ret) == 0))
        return 0;
    return error_set(err, ERROR_INVALID,
                     "\"%.60s\" is not a time; examples: now+2h, 16:00, tomorrow 09:00, "
                     "2026-01-31 10:00",
                     text);
}

/* ---- formatting ---- */

void format_span(uint64_t ms, char *ret, size_t bytes)
{
    uint64_t seconds = ms / 1000;
    unsigned long long days = seconds / 86400;
    unsigned hours = (unsigned)(seconds / 3600 % 24);
    unsigned minutes = (unsigned)(seconds / 60 % 60);
    if (ms < 1000)
        (void)snprintf(ret, bytes, "%llums", (unsigned long long)ms);
    else if (seconds < 60)
        (void)snprintf(ret, bytes, "%.1fs", (double)ms / 1000);
    else if (seconds < 3600)
        (void)snprintf(ret, bytes, "%um%02us", minutes, (unsigned)(seconds % 60));
    else if (days == 0)
        (void)snprintf(ret, bytes, "%uh%02um", hours, minutes);
    else
        (void)snprintf(ret, bytes, "%llud%uh", days, hours);
}

void format_size(uint64_t size, char *ret, size_t bytes)
{
    static const char units[] = " KMGT";
    double value = (double)size;
    int unit = 0;
    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    if (unit == 0)
        (void)snprintf(ret, bytes, "%llu", (unsigned long long)size);
    else
        (void)snprintf(ret, bytes, "%.1f%c", value, units[unit]);
}
