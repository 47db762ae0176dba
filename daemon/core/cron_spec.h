/* When a schedule runs, as crontab(5) writes it: "30 2 * * MON-FRI", or a name such as "@daily".
 * Five fields: minute, hour, day of the month, month, day of the week; each is "*", a number, a
 * range or a list of them, with "/step" behind "*" or a range. Months and days of the week may be
 * named; 0 and 7 are Sunday. Pure. */
#ifndef BATCHD_DAEMON_CORE_CRON_SPEC_H
#define BATCHD_DAEMON_CORE_CRON_SPEC_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Sixty minutes listed one by one and then some; what is longer is no specification. */
#define CRON_TEXT_MAX 400U

/* Which values of each field match: one bit each. */
struct cron_spec {
    uint64_t minutes;
    uint32_t hours, days; /* days 1 to 31 */
    uint16_t months;      /* 1 to 12 */
    uint8_t weekdays;     /* 0 is Sunday */
    /* The day of the month, or of the week, is not restricted: its field begins with "*". When both
     * are restricted a day matches by either, as cron has it since Version 7; else by both. */
    bool any_day, any_weekday;
    /* It goes by real time, not by the clock on the wall, where the two part: the field of the
     * minute or the hour begins with "*" (cron_time.h). */
    bool real_time;
};

/* 0, or -1 with ERROR_INVALID that names the field "at", the value and the rule. What can never
 * match (February 30) is refused. *ret is set only on success. */
int cron_spec_parse(const char *text, struct cron_spec *ret, struct error *err);

#endif
