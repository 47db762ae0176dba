#include "daemon/api/processors.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <fcntl.h>
#include <string.h>

#define MANIFEST_BYTES_MAX (256U << 10)

/* A type is a folder name: no separators, nothing hidden. */
static bool valid_type(const char *type)
{
    size_t length = strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return length > 0 && length <= 64 && type[length] == '\0';
}

static json_t *load_manifest(const char *const *dirs, const char *type, char **ret_folder)
{
    for (; *dirs != NULL; dirs++) {
        CLEANUP_FREE char *folder = xasprintf("%s/%s", *dirs, type);
        CLEANUP_FREE char *path = xasprintf("%s/manifest.json", folder);
        size_t bytes = 0;
        CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, MANIFEST_BYTES_MAX, &bytes);
        json_t *manifest = text == NULL ? NULL : json_load_limited(text, bytes, NULL);
        if (json_is_object(manifest)) {
            *ret_folder = TAKE_PTR(folder);
            return manifest;
        }
        json_decref(manifest);
    }
    return NULL;
}

static int wrong(struct error *err, const char *name, const char *rule)
{
    char field[ERROR_FIELD_BYTES];
    (void)snprintf(field, sizeof(field), "params.%.50s", name);
    return error_set_field(err, field, "parameter \"%.50s\" %s", name, rule);
}

static bool right_type(const json_t *value, const char *type)
{
    if (strcmp(type, "int") == 0)
        return json_is_integer(value);
    if (strcmp(type, "number") == 0)
        return json_is_number(value);
    if (strcmp(type, "bool") == 0)
        return json_is_boolean(value);
    if (strcmp(type, "path") == 0)
        return json_is_string(value) && json_string_length(value) > 0;
    return json_is_string(value);
}

static int check_enum(const json_t *words, const char *name, const json_t *value, struct error *err)
{
    size_t i;
    json_t *word;
    json_array_foreach(words, i, word) {
        if (json_equal(word, value))
            return 0;
    }
    CLEANUP_FREE char *list = json_to_text(words, NULL);
    CLEANUP_FREE char *rule = xasprintf("must be one of %.200s", list);
    return wrong(err, name, rule);
}

static int check_value(const json_t *param, const char *name, const json_t *value,
                       struct error *err)
{
    const char *type = json_string_value(json_object_get(param, "type"));
    const json_t *min = json_object_get(param, "min");
    const json_t *max = json_object_get(param, "max");
    const json_t *words = json_object_get(param, "enum");
    if (type == NULL)
        type = "string";
    if (!right_type(value, type)) {
        CLEANUP_FREE char *rule = xasprintf("must be a value of type %.20s", type);
        return wrong(err, name, rule);
    }
    if (json_is_number(value) &&
        ((json_is_number(min) && json_number_value(value) < json_number_value(min)) ||
         (json_is_number(max) && json_number_value(value) > json_number_value(max)))) {
        CLEANUP_FREE char *low = json_to_text(min, NULL);
        CLEANUP_FREE char *high = json_to_text(max, NULL);
        CLEANUP_FREE char *rule = xasprintf("is out of range; it must be from %s to %s", low, high);
        return wrong(err, name, rule);
    }
    return json_is_array(words) ? check_enum(words, name, value, err) : 0;
}

static int take_param(const json_t *param, const json_t *values, json_t *checked, size_t *used,
                      struct error *err)
{
    const char *name = json_string_value(json_object_get(param, "name"));
    if (name == NULL)
        return error_set_field(err, "type", "its manifest has a parameter without a name");
    json_t *value = json_object_get(values, name);
    json_t *fallback = json_object_get(param, "default");
    if (value == NULL) {
        if (json_is_true(json_object_get(param, "required")))
            return wrong(err, name, "is missing");
        if (fallback != NULL)
            json_put(checked, name, json_incref(fallback));
        return 0;
    }
    if (check_value(param, name, value, err) < 0)
        return -1;
    json_put(checked, name, json_incref(value));
    (*used)++;
    return 0;
}

static int check_params(const json_t *manifest, const json_t *values, json_t *checked,
                        struct error *err)
{
    size_t i;
    size_t used = 0;
    json_t *param;
    const char *name;
    json_t *value;
    json_array_foreach(json_object_get(manifest, "params"), i, param) {
        if (take_param(param, values, checked, &used, err) < 0)
            return -1;
    }
    if (used == json_object_size(values))
        return 0;
    json_object_foreach((json_t *)(uintptr_t)values, name, value) {
        if (json_object_get(checked, name) == NULL)
            return wrong(err, name, "is unknown to this type");
    }
    return 0;
}

int processor_resolve(const char *const *dirs, const char *type, const json_t *values,
                      char **ret_program, json_t **ret_params, struct error *err)
{
    CLEANUP_FREE char *folder = NULL;
    CLEANUP_JSON json_t *manifest = valid_type(type) ? load_manifest(dirs, type, &folder) : NULL;
    if (manifest == NULL) {
        (void)error_set_field(err, "type", "no processor \"%.64s\" is installed", type);
        if (err != NULL)
            err->code = ERROR_NOT_FOUND;
        return -1;
    }
    const char *program = json_string_value(json_object_get(manifest, "exec"));
    if (program == NULL || strchr(program, '/') != NULL)
        return error_set_field(err, "type", "the manifest of \"%.64s\" names no program", type);
    CLEANUP_JSON json_t *checked = json_object();
    if (check_params(manifest, values, checked, err) < 0)
        return -1;
    *ret_program = xasprintf("%s/%s", folder, program);
    *ret_params = TAKE_PTR(checked);
    return 0;
}
