/* Times of schedules, and the runs that follow from them in a zone with and without an hour
 * skipped. */
#include "tests/fuzz/fuzz.h"

#include "daemon/core/cron_time.h"

#define SOME_TIME INT64_C(1793769540)

/* Summer time for half of each 12 million seconds, or never. */
static void span_at(void *zone, int64_t at_s, struct zone_span *ret)
{
    const int64_t half = INT64_C(6000000);
    const bool *changes = zone;
    *ret = (struct zone_span){.from = INT64_MIN, .until = INT64_MAX, .offset_s = 3600};
    if (!*changes || at_s < -SOME_TIME || at_s > 4 * SOME_TIME)
        return;
    int64_t number = (at_s + 2 * SOME_TIME) / half;
    ret->from = number * half - 2 * SOME_TIME;
    ret->until = ret->from + half;
    ret->offset_s = number % 2 == 0 ? 3600 : 7200;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    CLEANUP_FREE char *text = fuzz_text(data, bytes);
    struct cron_spec spec;
    struct error err = {.code = ERROR_NONE};
    if (cron_spec_parse(text, &spec, &err) < 0) {
        MUST_NAME(&err, "at");
        return 0;
    }
    MUST(spec.minutes != 0 && spec.hours != 0 && spec.days != 0 && spec.months != 0 &&
         spec.weekdays != 0);
    for (int i = 0; i < 2; i++) {
        bool changes = i == 1;
        int64_t after = SOME_TIME;
        for (int run = 0; run < 3; run++) {
            int64_t next = cron_next(&spec, span_at, &changes, after);
            MUST(next > after);
            if (next == CRON_NEVER)
                break;
            MUST(cron_last(&spec, span_at, &changes, after, next) == next);
            MUST(cron_next(&spec, span_at, &changes, next - 1) == next);
            after = next;
        }
    }
    return 0;
}
