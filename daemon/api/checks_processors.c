/* Whether the job types that lie in the processors' folders can be run. */
#include "common/cleanup.h"
#include "common/json.h"
#include "daemon/api/checks.h"
#include "daemon/api/processors.h"
#include "daemon/api/verb.h"

static void check_types(const struct api *api, struct finding *ret)
{
    CLEANUP_JSON json_t *list = processor_list(api->options.processor_dirs);
    const json_t *one;
    const json_t *first = NULL;
    size_t i;
    size_t bad = 0;
    json_array_foreach(list, i, one) {
        if (!json_is_string(json_object_get(one, "problem")))
            continue;
        first = bad++ == 0 ? one : first;
    }
    if (first == NULL) {
        finding_set(ret, CHECK_OK, "%zu found", json_array_size(list));
        return;
    }
    finding_set(ret, CHECK_WARNING, "%zu of %zu cannot be run; %.60s: %.160s", bad,
                json_array_size(list), json_string_value(json_object_get(first, "name")),
                json_string_value(json_object_get(first, "problem")));
    finding_advise(
        ret, "jobs of such a type are refused", "%s",
        "mend its manifest.json, or remove its folder; batchctl processors names them all");
}

static const struct check checks[] = {{"types", check_types}, {NULL, NULL}};
const struct check_group checks_processors = {.name = "processors", .checks = checks};
