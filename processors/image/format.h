/* The formats that can be written and what each can hold. */
#ifndef BATCHD_PROCESSORS_IMAGE_FORMAT_H
#define BATCHD_PROCESSORS_IMAGE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

enum format_kind { FORMAT_JPEG, FORMAT_PNG, FORMAT_WEBP, FORMAT_TIFF };

struct format {
    enum format_kind kind;
    const char *name;
    const char *suffixes[3]; /* NULL after the last */
    int side_max;            /* pixels, by the format's own fields */
    bool alpha;              /* holds transparency */
    bool deep;               /* holds 16 bits a sample */
    bool grey;               /* holds one band; else grey becomes RGB */
    bool cmyk;
    bool lossy;
};

/* NULL when there is none such. */
const struct format *format_by_name(const char *name);
const struct format *format_by_suffix(const char *path);

/* How much of a file's name stands before the suffix of a picture, readable or writable; all of it
 * when it has none: "v1.2" is a name. */
size_t format_stem(const char *name);

#endif
