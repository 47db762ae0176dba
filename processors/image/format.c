#include "processors/image/format.h"

#include <string.h>
#include <strings.h>

static const struct format formats[] = {
    {.kind = FORMAT_JPEG,
     .name = "jpeg",
     .suffixes = {".jpg", ".jpeg"},
     .side_max = 65500,
     .grey = true,
     .cmyk = true,
     .lossy = true},
    {.kind = FORMAT_PNG,
     .name = "png",
     .suffixes = {".png"},
     .side_max = 1000000,
     .alpha = true,
     .deep = true,
     .grey = true},
    {.kind = FORMAT_WEBP,
     .name = "webp",
     .suffixes = {".webp"},
     .side_max = 16383,
     .alpha = true,
     .lossy = true},
    {.kind = FORMAT_TIFF,
     .name = "tiff",
     .suffixes = {".tif", ".tiff"},
     .side_max = 1000000,
     .alpha = true,
     .deep = true,
     .grey = true,
     .cmyk = true},
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

const struct format *format_by_name(const char *name)
{
    for (size_t i = 0; i < FORMATS; i++) {
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    }
    return NULL;
}

static bool has_suffix(const struct format *format, const char *suffix)
{
    for (size_t i = 0; format->suffixes[i] != NULL; i++) {
        if (strcasecmp(format->suffixes[i], suffix) == 0)
            return true;
    }
    return false;
}

const struct format *format_by_suffix(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash == NULL ? path : slash, '.');
    for (size_t i = 0; dot != NULL && i < FORMATS; i++) {
        if (has_suffix(&formats[i], dot))
            return &formats[i];
    }
    return NULL;
}

size_t format_stem(const char *name)
{
    static const char *const others[] = {".gif", ".heic", ".heif", ".avif"};
    const char *dot = strrchr(name, '.');
    bool known = format_by_suffix(name) != NULL;
    for (size_t i = 0; dot != NULL && i < sizeof(others) / sizeof(others[0]); i++)
        known = known || strcasecmp(dot, others[i]) == 0;
    return known && dot > name ? (size_t)(dot - name) : strlen(name);
}
