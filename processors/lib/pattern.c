#include "processors/lib/pattern.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/lib/request.h"

#include <string.h>
#include <sys/stat.h>

static const char special[] = "*?[";

bool pattern_is(const struct request *request, const char *text)
{
    struct stat info;
    CLEANUP_FREE char *path = request_absolute(request, text);
    return strpbrk(text, special) != NULL && lstat(path, &info) < 0;
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

int pattern_match(const struct request *request, const char *text, glob_t *ret)
{
    CLEANUP_FREE char *pattern = absolute(request, text);
    *ret = (glob_t){0};
    return glob(pattern, GLOB_ERR, NULL, ret); /* NOLINT(concurrency-mt-unsafe) */
}

char *pattern_folder(const struct request *request, const char *text)
{
    size_t end = strcspn(text, special);
    while (end > 0 && text[end - 1] != '/')
        end--;
    CLEANUP_FREE char *folder = xmemdup(text, end);
    return request_absolute(request, folder);
}
