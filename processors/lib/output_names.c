#include "processors/lib/output_names.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/manifest.h"
#include "processors/lib/pattern.h"
#include "processors/lib/request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- what they are made of ---- */

static void add(struct output_names *names, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(name, '.');
    if (name[0] == '\0') /* a folder, which is no input */
        return;
    names->stems = xreallocarray(names->stems, names->count + 2, sizeof(char *));
    names->stems[names->count++] = xstrdup(name);
    if (dot != NULL && dot > name)
        names->stems[names->count++] = xmemdup(name, (size_t)(dot - name));
}

static void add_pattern(struct output_names *names, const struct request *request, const char *text)
{
    glob_t found;
    if (pattern_match(request, text, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && i < MANIFEST_PATHS_MAX; i++)
            add(names, found.gl_pathv[i]);
    }
    globfree(&found);
}

static void add_inputs(struct output_names *names, const struct request *request,
                       const json_t *param)
{
    json_t *value =
        json_object_get(request->params, json_string_value(json_object_get(param, "name")));
    const char *text = json_string_value(value);
    size_t i;
    json_t *path;
    if (text != NULL && pattern_is(request, text))
        add_pattern(names, request, text);
    else if (text != NULL)
        add(names, text);
    json_array_foreach(value, i, path)
        add(names, json_string_value(path));
}

static void take_suffixes(struct output_names *names, const json_t *list)
{
    size_t i;
    json_t *suffix;
    if (list == NULL)
        return;
    names->suffixes = xcalloc(json_array_size(list) + 1, sizeof(char *));
    json_array_foreach((json_t *)(uintptr_t)list, i, suffix)
        names->suffixes[i] = xstrdup(json_string_value(suffix));
}

static int in_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void output_names_read(const struct request *request, struct output_names *ret)
{
    size_t i;
    json_t *param;
    *ret = (struct output_names){0};
    json_array_foreach(json_object_get(request->manifest, "params"), i, param) {
        const char *access = json_string_value(json_object_get(param, "access"));
        if (strcmp(json_string_value(json_object_get(param, "type")), "paths") == 0)
            add_inputs(ret, request, param);
        else if (access != NULL && strcmp(access, "write") == 0 && ret->suffixes == NULL)
            take_suffixes(ret, json_object_get(param, "suffixes"));
    }
    if (ret->count > 1)
        qsort(ret->stems, ret->count, sizeof(char *), in_order);
}

void output_names_done(struct output_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->stems[i]);
    for (char **suffix = names->suffixes; suffix != NULL && *suffix != NULL; suffix++)
        free(*suffix);
    free(names->stems);
    free(names->suffixes);
    *names = (struct output_names){0};
}

/* ---- the rule ---- */

static bool is_stem(const struct output_names *names, const char *text)
{
    return names->count > 0 &&
           bsearch(&text, names->stems, names->count, sizeof(char *), in_order) != NULL;
}

bool output_names_take(const struct output_names *names, const char *name)
{
    const char *dot = strrchr(name, '.');
    if (names->suffixes == NULL)
        return is_stem(names, name);
    for (char **suffix = names->suffixes; dot != NULL && *suffix != NULL; suffix++) {
        if (strcasecmp(*suffix, dot) != 0)
            continue;
        CLEANUP_FREE char *stem = xmemdup(name, (size_t)(dot - name));
        return is_stem(names, stem) || is_stem(names, name); /* an input may be called ".jpg" */
    }
    return false;
}
