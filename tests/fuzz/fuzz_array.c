/* Arrays: the specification, the tasks of it that are named, how many may fail. The three are
 * lines. */
#include "tests/fuzz/fuzz.h"

#include "daemon/core/array_spec.h"
#include "daemon/core/fails_limit.h"
#include "daemon/core/task_ranges.h"

#define TASKS_MAX 1000000U

static void check_fails(const char *text)
{
    struct fails_limit limit, again;
    struct error err = {.code = ERROR_NONE};
    char written[32];
    if (fails_limit_parse(text, &limit, &err) < 0) {
        MUST_NAME(&err, "max_fails");
        return;
    }
    fails_limit_format(&limit, written, sizeof(written));
    MUST(fails_limit_parse(written, &again, &err) == 0);
    MUST(again.kind == limit.kind && again.most == limit.most);
}

static void check_selection(const struct array_spec *spec, const char *text)
{
    struct task_ranges ranges;
    struct error err = {.code = ERROR_NONE};
    if (task_ranges_select(spec, text, &ranges, &err) < 0) {
        MUST(err.code == ERROR_INVALID || err.code == ERROR_NOT_FOUND);
        MUST(strcmp(err.field, "indices") == 0);
        return;
    }
    MUST(ranges.count > 0);
    for (size_t i = 0; i < ranges.count; i++) {
        MUST(ranges.ranges[i].first <= ranges.ranges[i].last &&
             ranges.ranges[i].last < spec->total);
        MUST(i == 0 || ranges.ranges[i - 1].last + 1 < ranges.ranges[i].first);
    }
    MUST(task_ranges_count(&ranges, 0) <= spec->total);
    task_ranges_done(&ranges);
}

static void check_spec(const char *text, const char *selection)
{
    struct array_spec spec, again;
    struct error err = {.code = ERROR_NONE};
    if (array_spec_parse(text, TASKS_MAX, &spec, &err) < 0) {
        MUST_NAME(&err, "array");
        return;
    }
    CLEANUP_FREE char *written = array_spec_format(&spec);
    MUST(array_spec_parse(written, TASKS_MAX, &again, &err) == 0);
    MUST(array_spec_same_tasks(&spec, &again) && again.limit == spec.limit);
    const uint64_t positions[] = {0, spec.total / 2, spec.total - 1};
    for (size_t i = 0; i < 3; i++) {
        uint64_t back;
        MUST(array_spec_position(&spec, array_spec_index(&spec, positions[i]), &back));
        MUST(back == positions[i]);
    }
    check_selection(&spec, selection);
    array_spec_done(&spec);
    array_spec_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    CLEANUP_FREE char *text = fuzz_text(data, bytes);
    char *selection = strchr(text, '\n');
    char *fails = selection == NULL ? NULL : strchr(selection + 1, '\n');
    if (selection != NULL)
        *selection++ = '\0';
    if (fails != NULL)
        *fails++ = '\0';
    check_spec(text, selection == NULL ? "1" : selection);
    check_fails(fails == NULL ? text : fails);
    return 0;
}
