#include "processors/lib/pattern.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/lib/request.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_pattern(const struct request *request, const char *text)
{
    struct stat info;
    CLEANUP_FREE char *path = request_absolute(request, text);
    return strpbrk(text, "*?[") != NULL && lstat(path, &info) < 0;
}

/* The working folder's own name is no pattern. */
static char *absolute(const struct request *request, const char *text)
{
    if (text[0] == '/')
        return xstrdup(text);
    CLEANUP_FREE char *folder = xmalloc(2 * strlen(request->cwd) + 1);
    char *to = folder;
    for (const char *from = request->cwd; *from != '\0'; from++) {
        if (strchr("*?[\\", *from) != NULL)
            *to++ = '\\';
        *to++ = *from;
    }
    *to = '\0';
    return xasprintf("%s/%s", folder, text);
}

static void match(struct request *request, const char *text)
{
    CLEANUP_FREE char *pattern = absolute(request, text);
    request->patterns =
        xreallocarray(request->patterns, request->pattern_count + 1, sizeof(*request->patterns));
    struct pattern *one = &request->patterns[request->pattern_count++];
    *one = (struct pattern){.text = text};
    one->failed = glob(pattern, GLOB_ERR, NULL, &one->found); /* NOLINT(concurrency-mt-unsafe) */
}

void pattern_read(struct request *request)
{
    size_t i;
    json_t *param;
    json_array_foreach(json_object_get(request->manifest, "params"), i, param) {
        const char *name = json_string_value(json_object_get(param, "name"));
        const char *text = json_string_value(json_object_get(request->params, name));
        if (strcmp(json_string_value(json_object_get(param, "type")), "paths") == 0 &&
            text != NULL && is_pattern(request, text))
            match(request, text);
    }
}

void pattern_done(struct request *request)
{
    for (size_t i = 0; i < request->pattern_count; i++)
        globfree(&request->patterns[i].found);
    free(request->patterns);
    request->patterns = NULL;
    request->pattern_count = 0;
}

const struct pattern *pattern_find(const struct request *request, const char *text)
{
    for (size_t i = 0; i < request->pattern_count; i++) {
        if (strcmp(request->patterns[i].text, text) == 0)
            return &request->patterns[i];
    }
    return NULL;
}
