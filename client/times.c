#include "client/times.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <stdbool.h>
#include <time.h>

#define SPAN_BYTES 32

char *times_clock(int64_t at)
{
    time_t seconds = (time_t)(at / US_PER_SECOND);
    time_t today = (time_t)(clock_wall_us() / US_PER_SECOND);
    struct tm local, here;
    char text[40];
    (void)localtime_r(&seconds, &local);
    (void)localtime_r(&today, &here);
    bool same = local.tm_year == here.tm_year && local.tm_yday == here.tm_yday;
    (void)strftime(text, sizeof(text), same ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &local);
    return xstrdup(text);
}

char *times_span(int64_t span_us)
{
    char text[SPAN_BYTES];
    format_span((uint64_t)(span_us < 0 ? -span_us : span_us) / US_PER_MS, text, sizeof(text));
    return xasprintf("%s%s", span_us < 0 ? "-" : "", text);
}

char *times_text(int64_t at)
{
    int64_t away = at - clock_wall_us();
    char span[SPAN_BYTES];
    CLEANUP_FREE char *clock = times_clock(at);
    format_span((uint64_t)(away < 0 ? -away : away) / US_PER_MS, span, sizeof(span));
    return away > 0 ? xasprintf("%s (in %s)", clock, span) : xasprintf("%s (%s ago)", clock, span);
}
