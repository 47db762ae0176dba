/* Points in time as users write them. */
#include "tests/fuzz/fuzz.h"

#include "common/clock.h"
#include "common/parse.h"

#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const int64_t now = INT64_C(1793769540) * US_PER_SECOND;
    CLEANUP_FREE char *text = fuzz_text(data, bytes);
    for (int future = 0; future < 2; future++) {
        struct error err = {.code = ERROR_NONE};
        int64_t at, again;
        char written[40];
        struct tm parts;
        if (parse_time(text, now, future, &at, &err) < 0) {
            MUST_EXPLAIN(&err);
            continue;
        }
        time_t seconds = (time_t)(at / US_PER_SECOND - (at % US_PER_SECOND < 0));
        MUST(gmtime_r(&seconds, &parts) != NULL);
        if (parts.tm_year < -900 || parts.tm_year > 8099) /* years of four digits */
            continue;
        MUST(strftime(written, sizeof(written), "%Y-%m-%dT%H:%M:%SZ", &parts) > 0);
        if (at >= 0)
            MUST(parse_time(written, now, future, &again, &err) == 0 &&
                 again == (int64_t)seconds * US_PER_SECOND);
    }
    return 0;
}
