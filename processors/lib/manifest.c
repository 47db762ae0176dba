#include "processors/lib/manifest.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/suggest.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define MANIFEST_BYTES_MAX (256U << 10)
#define VALUE_WIDTH 80 /* of a refused value, in an error text */

char *manifest_text(struct error *err)
{
    char path[PATH_MAX];
    size_t bytes = 0;
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(path, '/');
    size_t room = slash == NULL ? 0 : sizeof(path) - (size_t)(slash - path);
    if (room < sizeof("/manifest.json")) {
        (void)error_set(err, ERROR_INTERNAL, "the program's own path is not known");
        return NULL;
    }
    memcpy(slash, "/manifest.json", sizeof("/manifest.json"));
    char *text = fd_read_file(AT_FDCWD, path, MANIFEST_BYTES_MAX, &bytes);
    if (text == NULL) {
        (void)error_set_errno(err, "%s", path);
        err->code = ERROR_INTERNAL;
    }
    return text;
}

static int refuse(struct error *err, const char *name, const json_t *value, const char *rule)
{
    CLEANUP_FREE char *text = json_to_text(value, NULL);
    char field[ERROR_FIELD_BYTES];
    (void)snprintf(field, sizeof(field), "params.%.50s", name);
    return error_set_field(err, field, "%.50s is %.*s; %s", name, VALUE_WIDTH, text, rule);
}

static const char *type_rule(const json_t *value, const char *type)
{
    if (strcmp(type, "int") == 0)
        return json_is_integer(value) ? NULL : "it must be an integer";
    if (strcmp(type, "number") == 0)
        return json_is_number(value) ? NULL : "it must be a number";
    if (strcmp(type, "bool") == 0)
        return json_is_boolean(value) ? NULL : "it must be true or false";
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
        return "it must be a string without NUL";
    if (strcmp(type, "path") != 0)
        return NULL;
    if (json_string_length(value) == 0 || json_string_length(value) >= PATH_MAX / 2)
        return "it must be a path of 1 to 2047 bytes";
    return NULL;
}

static int check_range(const json_t *param, const char *name, const json_t *value,
                       struct error *err)
{
    const json_t *min = json_object_get(param, "min");
    const json_t *max = json_object_get(param, "max");
    bool low = json_is_number(min) && json_number_value(value) < json_number_value(min);
    bool high = json_is_number(max) && json_number_value(value) > json_number_value(max);
    if (!json_is_number(value) || (!low && !high))
        return 0;
    CLEANUP_FREE char *from = json_to_text(min, NULL);
    CLEANUP_FREE char *to = json_to_text(max, NULL);
    CLEANUP_FREE char *rule = xasprintf("it must be from %.30s to %.30s", from, to);
    return refuse(err, name, value, rule);
}

static int check_words(const json_t *words, const char *name, const json_t *value,
                       struct error *err)
{
    size_t i;
    json_t *word;
    json_array_foreach(words, i, word) {
        if (json_equal(word, value))
            return 0;
    }
    if (!json_is_array(words))
        return 0;
    CLEANUP_FREE char *list = json_to_text(words, NULL);
    CLEANUP_FREE char *rule = xasprintf("it must be one of %.200s", list);
    return refuse(err, name, value, rule);
}

static int check_value(const json_t *param, const char *name, const json_t *value,
                       struct error *err)
{
    const char *type = json_string_value(json_object_get(param, "type"));
    const char *rule = type_rule(value, type == NULL ? "string" : type);
    if (rule != NULL)
        return refuse(err, name, value, rule);
    if (check_range(param, name, value, err) < 0)
        return -1;
    return check_words(json_object_get(param, "enum"), name, value, err);
}

static int take_param(const json_t *param, const json_t *values, json_t *checked, struct error *err)
{
    const char *name = json_string_value(json_object_get(param, "name"));
    if (name == NULL)
        return error_set(err, ERROR_INTERNAL, "manifest.json has a parameter without a name");
    json_t *value = json_object_get(values, name);
    if (value == NULL)
        value = json_object_get(param, "default");
    if (value == NULL)
        return json_is_true(json_object_get(param, "required"))
                   ? error_set_field(err, name, "%s is missing; it is required", name)
                   : 0;
    if (check_value(param, name, value, err) < 0)
        return -1;
    json_put(checked, name, json_incref(value));
    return 0;
}

static int refuse_unknown(const json_t *params, const char *name, struct error *err)
{
    const char **names = xcalloc(json_array_size(params) + 1, sizeof(*names));
    size_t i;
    json_t *param;
    json_array_foreach(params, i, param)
        names[i] = json_string_value(json_object_get(param, "name"));
    const char *meant = suggest_word(name, names);
    free(names);
    if (meant != NULL)
        return error_set_field(err, name, "%.50s is no parameter; did you mean %s?", name, meant);
    return error_set_field(err, name, "%.50s is no parameter; --manifest lists them", name);
}

int manifest_check(const json_t *values, json_t **ret, struct error *err)
{
    CLEANUP_FREE char *text = manifest_text(err);
    CLEANUP_JSON json_t *manifest =
        text == NULL ? NULL : json_load_limited(text, strlen(text), err);
    CLEANUP_JSON json_t *checked = json_object();
    const json_t *params = json_object_get(manifest, "params");
    size_t i;
    json_t *param;
    if (manifest == NULL) {
        err->code = ERROR_INTERNAL;
        return error_wrap(err, "manifest.json");
    }
    json_array_foreach(params, i, param) {
        if (take_param(param, values, checked, err) < 0)
            return -1;
    }
    for (void *at = json_object_iter((json_t *)(uintptr_t)values); at != NULL;
         at = json_object_iter_next((json_t *)(uintptr_t)values, at)) {
        if (json_object_get(checked, json_object_iter_key(at)) == NULL)
            return refuse_unknown(params, json_object_iter_key(at), err);
    }
    *ret = TAKE_PTR(checked);
    return 0;
}
