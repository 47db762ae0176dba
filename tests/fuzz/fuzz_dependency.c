/* Dependencies as users write them. */
#include "tests/fuzz/fuzz.h"

#include "daemon/core/dependency_spec.h"

/* Where names stand for jobs, too: what is read without them is read as the same. */
static void read_named(const char *text, const struct dependency_spec *plain)
{
    static const char *const names[] = {"a", "encode", "encode_7", NULL};
    struct dependency_spec spec;
    struct error err = {.code = ERROR_NONE};
    if (dependency_spec_parse_named(text, names, &spec, &err) < 0) {
        MUST_NAME(&err, "depends");
        MUST(plain == NULL);
        return;
    }
    for (size_t i = 0; i < spec.count; i++) {
        bool sibling = spec.items[i].parent >= DEPENDENCY_SIBLING;
        MUST(!sibling || (plain == NULL && spec.items[i].parent < DEPENDENCY_SIBLING + 3));
        MUST(plain == NULL || spec.items[i].parent == plain->items[i].parent);
    }
    MUST(plain == NULL || plain->count == spec.count);
    dependency_spec_done(&spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    CLEANUP_FREE char *text = fuzz_text(data, bytes);
    struct dependency_spec spec, again;
    struct error err = {.code = ERROR_NONE};
    if (dependency_spec_parse(text, &spec, &err) < 0) {
        MUST_NAME(&err, "depends");
        read_named(text, NULL);
        return 0;
    }
    read_named(text, &spec);
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
