/* A processor's manifest, and the parameters of a job that are checked against it: two JSON texts
 * with a NUL or a line of three dashes between them. */
#include "tests/fuzz/fuzz.h"

#include "common/manifest.h"

static const char *word_of(const json_t *param, const char *key)
{
    return json_string_value(json_object_get(param, key));
}

static bool is_of_type(const json_t *value, const char *type)
{
    size_t bytes = json_string_length(value);
    bool clean = json_is_string(value) && strlen(json_string_value(value)) == bytes;
    bool path = clean && bytes > 0 && bytes <= MANIFEST_PATH_MAX;
    switch (type[0]) {
    case 'i':
        return json_is_integer(value);
    case 'n':
        return json_is_number(value);
    case 'b':
        return json_is_boolean(value);
    case 's':
        return clean;
    default:
        break;
    }
    if (path || strcmp(type, "path") == 0)
        return path;
    bool paths = json_array_size(value) > 0 && json_array_size(value) <= MANIFEST_PATHS_MAX;
    for (size_t i = 0; i < json_array_size(value); i++)
        paths = paths && is_of_type(json_array_get(value, i), "path");
    return paths;
}

/* The rules of one parameter, written a second time. */
static bool obeys(const json_t *param, const json_t *value)
{
    const json_t *min = json_object_get(param, "min");
    const json_t *max = json_object_get(param, "max");
    const json_t *words = json_object_get(param, "enum");
    bool named = words == NULL;
    for (size_t i = 0; i < json_array_size(words); i++)
        named = named || json_equal(json_array_get(words, i), value);
    double number = json_number_value(value);
    bool within = !json_is_number(value) || ((min == NULL || number >= json_number_value(min)) &&
                                             (max == NULL || number <= json_number_value(max)));
    return is_of_type(value, word_of(param, "type")) && named && within;
}

static void defaults_must_obey(const json_t *manifest)
{
    const json_t *params = json_object_get(manifest, "params");
    for (size_t i = 0; i < json_array_size(params); i++) {
        const json_t *param = json_array_get(params, i);
        const json_t *value = json_object_get(param, "default");
        MUST(value == NULL || obeys(param, value));
    }
}

/* Whether a job may have these values; *ret_count is how many it has then, defaults with them. */
static bool may_have(const json_t *manifest, const json_t *values, size_t *ret_count)
{
    const json_t *params = json_object_get(manifest, "params");
    size_t known = 0;
    bool right = true;
    *ret_count = 0;
    for (size_t i = 0; i < json_array_size(params); i++) {
        const json_t *param = json_array_get(params, i);
        const json_t *value = json_object_get(values, word_of(param, "name"));
        const json_t *used = value == NULL ? json_object_get(param, "default") : value;
        known += value != NULL;
        *ret_count += used != NULL;
        right = right && (used == NULL ? !json_is_true(json_object_get(param, "required"))
                                       : obeys(param, used));
    }
    return right && known == json_object_size(values);
}

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
    defaults_must_obey(manifest);
    CLEANUP_JSON json_t *values =
        second == NULL ? NULL : json_load_limited(second + 5, strlen(second + 5), &err);
    CLEANUP_JSON json_t *checked = NULL;
    CLEANUP_JSON json_t *again = NULL;
    if (values != NULL && !json_is_object(values))
        return 0;
    err = (struct error){.code = ERROR_NONE};
    size_t count;
    bool right = may_have(manifest, values, &count);
    if (manifest_check(manifest, values, &checked, &err) < 0) {
        MUST(!right && err.code == ERROR_INVALID && strncmp(err.field, "params.", 7) == 0);
        return 0;
    }
    MUST(right && json_object_size(checked) == count);
    /* What was filled in obeys the rules that it was filled in by. */
    MUST(manifest_check(manifest, checked, &again, &err) == 0 && json_equal(checked, again));
    return 0;
}
