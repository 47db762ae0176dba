#include "processors/lib/path_params.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/manifest.h"
#include "processors/lib/pattern.h"
#include "processors/lib/request.h"

#include <string.h>
#include <sys/stat.h>

static const char *text_of(const json_t *param, const char *name)
{
    const char *text = json_string_value(json_object_get(param, name));
    return text == NULL ? "" : text;
}

static void read_param(const struct request *request, const json_t *param, struct path_param *ret)
{
    ret->name = text_of(param, "name");
    ret->declared = param;
    ret->is_written = strcmp(text_of(param, "access"), "write") == 0;
    ret->value = json_object_get(request->params, ret->name);
    const char *text = json_string_value(ret->value);
    ret->is_list = strcmp(text_of(param, "type"), "paths") == 0;
    ret->pattern = text != NULL && ret->is_list ? pattern_find(request, text) : NULL;
}

bool path_param_next(const struct request *request, size_t *at, struct path_param *ret)
{
    const json_t *params = json_object_get(request->manifest, "params");
    while (*at < json_array_size(params)) {
        const json_t *param = json_array_get(params, (*at)++);
        const char *type = text_of(param, "type");
        if (strcmp(type, "path") == 0 || strcmp(type, "paths") == 0) {
            read_param(request, param, ret);
            return true;
        }
    }
    return false;
}

bool path_param_is_several(const struct path_param *param)
{
    return param->pattern != NULL || json_is_array(param->value);
}

struct taker {
    const struct request *request;
    void (*take)(void *arg, const char *path);
    void *arg;
};

static void take_value(const struct taker *taker, const json_t *value)
{
    if (!json_is_string(value))
        return;
    CLEANUP_FREE char *path = request_absolute(taker->request, json_string_value(value));
    taker->take(taker->arg, path);
}

/* Folders that match are none that were meant, and all below them would be open to the sandbox. */
static void take_matches(const struct taker *taker, const struct pattern *pattern)
{
    const size_t count = pattern->failed == 0 ? pattern->found.gl_pathc : 0;
    struct stat info;
    for (size_t i = 0; i < count && i < MANIFEST_PATHS_MAX; i++) {
        const char *path = pattern->found.gl_pathv[i];
        if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
            taker->take(taker->arg, path);
    }
}

void path_param_each(const struct request *request, const struct path_param *param,
                     void (*take)(void *arg, const char *path), void *arg)
{
    const struct taker taker = {request, take, arg};
    if (param->pattern != NULL)
        take_matches(&taker, param->pattern);
    else
        take_value(&taker, param->value);
    for (size_t i = 0; i < json_array_size(param->value); i++)
        take_value(&taker, json_array_get(param->value, i));
}
