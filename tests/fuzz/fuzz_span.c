/* Spans, sizes, signals and counts, as users and configurations write them. */
#include "tests/fuzz/fuzz.h"

#include "common/parse.h"

static void check_span(const char *text)
{
    uint64_t ms, again;
    char written[32];
    struct error err = {.code = ERROR_NONE};
    if (parse_span_ms(text, &ms, &err) < 0) {
        MUST_EXPLAIN(&err);
        return;
    }
    format_span(ms, written, sizeof(written)); /* two units are told: a 24th is lost at most */
    MUST(parse_span_ms(written, &again, &err) == 0);
    MUST((again > ms ? again - ms : ms - again) <= ms / 24 + 50);
}

static void check_size(const char *text)
{
    uint64_t size, again;
    char written[32];
    struct error err = {.code = ERROR_NONE};
    if (parse_size(text, &size, &err) < 0) {
        MUST_EXPLAIN(&err);
        return;
    }
    format_size(size, written, sizeof(written));
    if (parse_size(written, &again, &err) == 0) /* what is rounded up may pass the largest */
        MUST((again > size ? again - size : size - again) <= size / 20 + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    CLEANUP_FREE char *text = fuzz_text(data, bytes);
    struct error err = {.code = ERROR_NONE};
    int signal, again;
    uint64_t number;
    char written[32];
    check_span(text);
    check_size(text);
    if (parse_signal(text, &signal, &err) == 0) {
        format_signal(signal, written, sizeof(written));
        MUST(parse_signal(written, &again, &err) == 0 && again == signal);
    } else {
        MUST_EXPLAIN(&err);
    }
    if (parse_u64(text, 3, 1000, &number, &err) == 0)
        MUST(number >= 3 && number <= 1000);
    return 0;
}
