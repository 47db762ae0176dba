#include "processors/image/inputs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/manifest.h"
#include "processors/lib/pattern.h"
#include "processors/lib/request.h"

#include <string.h>
#include <sys/stat.h>

static int add(json_t *inputs, const char *path, struct error *err)
{
    json_t *text = json_from_bytes(path, strlen(path));
    if (!json_is_string(text)) {
        json_decref(text);
        return error_set_field(err, "params.input", "input \"%.200s\" is not UTF-8; a name must be",
                               path);
    }
    (void)json_array_append_new(inputs, text);
    return 0;
}

/* Folders that match are none that were meant. */
static int add_files(const glob_t *found, json_t *inputs, struct error *err)
{
    for (size_t i = 0; i < found->gl_pathc; i++) {
        struct stat info;
        bool folder = stat(found->gl_pathv[i], &info) == 0 && S_ISDIR(info.st_mode);
        if (!folder && add(inputs, found->gl_pathv[i], err) < 0)
            return -1;
    }
    return 0;
}

static int check_found(int failed, const char *pattern, const json_t *inputs, struct error *err)
{
    size_t count = json_array_size(inputs);
    if (failed != 0 && failed != GLOB_NOMATCH)
        return error_set(err, ERROR_DENIED, "input \"%.200s\": its folders cannot be read",
                         pattern);
    if (count == 0) {
        (void)error_set_field(err, "params.input", "input \"%.200s\" matches no file", pattern);
        err->code = ERROR_NOT_FOUND;
        return -1;
    }
    if (count > MANIFEST_PATHS_MAX)
        return error_set(err, ERROR_LIMIT, "input \"%.200s\" matches %zu files; at most %u may be",
                         pattern, count, MANIFEST_PATHS_MAX);
    return 0;
}

static int add_matches(const struct pattern *pattern, json_t *inputs, struct error *err)
{
    if (pattern->failed == 0 && add_files(&pattern->found, inputs, err) < 0)
        return -1;
    return check_found(pattern->failed, pattern->text, inputs, err);
}

int inputs_read(const struct request *request, json_t **ret, bool *ret_several, struct error *err)
{
    size_t i;
    json_t *value = json_object_get(request->params, "input");
    json_t *element;
    CLEANUP_JSON json_t *inputs = json_array();
    *ret_several = json_is_array(value);
    json_array_foreach(value, i, element) {
        CLEANUP_FREE char *path = request_absolute(request, json_string_value(element));
        if (add(inputs, path, err) < 0)
            return -1;
    }
    if (!*ret_several) {
        const char *text = json_string_value(value);
        CLEANUP_FREE char *path = request_absolute(request, text);
        const struct pattern *pattern = pattern_find(request, text);
        *ret_several = pattern != NULL;
        if ((pattern != NULL ? add_matches(pattern, inputs, err) : add(inputs, path, err)) < 0)
            return -1;
    }
    *ret = TAKE_PTR(inputs);
    return 0;
}
