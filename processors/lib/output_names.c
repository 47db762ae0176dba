#include "processors/lib/output_names.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/lib/path_params.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- what they are made of ---- */

static void add(void *arg, const char *path)
{
    struct output_names *names = arg;
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

static void take_suffixes(struct output_names *names, const json_t *list)
{
    if (list == NULL)
        return;
    names->suffixes = xcalloc(json_array_size(list) + 1, sizeof(char *));
    for (size_t i = 0; i < json_array_size(list); i++)
        names->suffixes[i] = xstrdup(json_string_value(json_array_get(list, i)));
}

static int in_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void output_names_read(const struct request *request, struct output_names *ret)
{
    size_t at = 0;
    struct path_param param;
    *ret = (struct output_names){0};
    while (path_param_next(request, &at, &param)) {
        if (param.is_list)
            path_param_each(request, &param, add, ret);
        else if (param.is_written && ret->suffixes == NULL)
            take_suffixes(ret, json_object_get(param.declared, "suffixes"));
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
