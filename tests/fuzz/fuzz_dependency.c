/* Dependencies as users write them. */
#include "tests/fuzz/fuzz.h"

#include "daemon/core/dependency_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    CLEANUP_FREE char *text = fuzz_text(data, bytes);
    struct dependency_spec spec, again;
    struct error err = {.code = ERROR_NONE};
    if (dependency_spec_parse(text, &spec, &err) < 0) {
        MUST_NAME(&err, "depends");
        return 0;
    }
    CLEANUP_FREE char *written = dependency_spec_text(&spec);
    MUST(spec.count > 0 && written != NULL);
    MUST(dependency_spec_parse(written, &again, &err) == 0);
    MUST(again.count == spec.count && (again.any == spec.any || spec.count == 1));
    for (size_t i = 0; i < spec.count; i++) {
        const struct dependency *a = &spec.items[i];
        const struct dependency *b = &again.items[i];
        MUST(a->type == b->type && a->parent == b->parent && a->is_task == b->is_task &&
             a->index == b->index);
    }
    dependency_spec_done(&spec);
    dependency_spec_done(&again);
    return 0;
}
