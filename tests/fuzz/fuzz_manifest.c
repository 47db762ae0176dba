/* A processor's manifest, and the parameters of a job that are checked against it: two JSON texts
 * with a NUL or a line of three dashes between them. */
#include "tests/fuzz/fuzz.h"

#include "common/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    CLEANUP_FREE char *text = fuzz_text(data, bytes);
    struct error err = {.code = ERROR_NONE};
    const char *second = strstr(text, "\n---\n");
    size_t first_bytes = second == NULL ? bytes : (size_t)(second - text);
    CLEANUP_JSON json_t *manifest = manifest_load(text, first_bytes, &err);
    if (manifest == NULL) {
        MUST_EXPLAIN(&err);
        return 0;
    }
    CLEANUP_JSON json_t *values =
        second == NULL ? NULL : json_load_limited(second + 5, strlen(second + 5), &err);
    CLEANUP_JSON json_t *checked = NULL;
    CLEANUP_JSON json_t *again = NULL;
    if (values != NULL && !json_is_object(values))
        return 0;
    err = (struct error){.code = ERROR_NONE};
    if (manifest_check(manifest, values, &checked, &err) < 0) {
        MUST(err.code == ERROR_INVALID && strncmp(err.field, "params", 6) == 0);
        return 0;
    }
    /* What was filled in obeys the rules that it was filled in by. */
    MUST(manifest_check(manifest, checked, &again, &err) == 0 && json_equal(checked, again));
    return 0;
}
