#include "processors/image/targets.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/image/format.h"
#include "processors/image/options.h"
#include "processors/lib/request.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void targets_done(struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++) {
        free(targets->target[i].input);
        free(targets->target[i].output);
    }
    free(targets->target);
    free(targets->folder);
    *targets = (struct targets){0};
}

/* ---- names and formats ---- */

static int take_format(struct target *target, const char *of, const char *field, struct error *err)
{
    target->format = format_by_suffix(of);
    if (target->format != NULL)
        return 0;
    return error_set_field(err, field,
                           "%s is \"%.200s\"; its suffix must be one of .jpg .jpeg .png .webp .tif "
                           ".tiff, or format must name the format",
                           field, of);
}

/* The input's own name; its suffix is replaced where it is that of another format. */
static int name_output(const struct options *options, const char *folder, struct target *target,
                       struct error *err)
{
    const char *name = strrchr(target->input, '/') + 1;
    if (options->format == NULL && take_format(target, target->input, "params.input", err) < 0)
        return -1;
    if (options->format != NULL)
        target->format = options->format;
    if (format_by_suffix(name) == target->format)
        target->output = xasprintf("%s/%s", folder, name);
    else
        target->output = xasprintf("%s/%.*s%s", folder, (int)format_stem(name), name,
                                   target->format->suffixes[0]);
    return 0;
}

static int plan_one(const struct request *request, const struct options *options,
                    struct target *target, struct error *err)
{
    struct stat info;
    target->output = request_path(request, "output");
    target->format = options->format;
    if (target->output[strlen(target->output) - 1] == '/' ||
        (stat(target->output, &info) == 0 && S_ISDIR(info.st_mode)))
        return error_set_field(err, "params.output",
                               "output \"%.200s\" is a folder; of one picture it must name a file "
                               "(into a folder goes a list or a pattern)",
                               target->output);
    return target->format != NULL ? 0 : take_format(target, target->output, "params.output", err);
}

static char *folder_path(const struct request *request)
{
    char *path = request_path(request, "output");
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
        path[length - 1] = '\0';
    return path;
}

/* ---- checks ---- */

/* Who wants one picture and gave a pattern shall not find a folder named out.png. */
static int check_folder(const struct targets *targets, struct error *err)
{
    struct stat info;
    if (targets->folder == NULL || format_by_suffix(targets->folder) == NULL ||
        stat(targets->folder, &info) == 0)
        return 0;
    return error_set_field(err, "params.output",
                           "output is \"%.200s\"; for a list or a pattern it must be a folder, "
                           "and a new one must not end as a picture does",
                           targets->folder);
}

static int check_quality(const struct request *request, const struct targets *targets,
                         struct error *err)
{
    int quality = request_int(request, "quality", 0);
    for (size_t i = 0; i < targets->count; i++) {
        if (quality == 0 || targets->target[i].format->lossy)
            return 0;
    }
    return error_set_field(err, "params.quality", "quality is %d; %s is lossless and has none",
                           quality, targets->target[0].format->name);
}

static int by_output(const void *a, const void *b)
{
    const struct target *const *left = a, *const *right = b;
    return strcmp((*left)->output, (*right)->output);
}

static int check_clashes(const struct targets *targets, struct error *err)
{
    CLEANUP_FREE const struct target **order =
        xreallocarray(NULL, targets->count, sizeof(const struct target *));
    for (size_t i = 0; i < targets->count; i++)
        order[i] = &targets->target[i];
    qsort(order, targets->count, sizeof(const struct target *), by_output);
    for (size_t i = 1; i < targets->count; i++) {
        if (strcmp(order[i - 1]->output, order[i]->output) == 0)
            return error_set_field(err, "params.output",
                                   "inputs \"%.110s\" and \"%.110s\" would both become \"%.90s\"; "
                                   "each must have its own name",
                                   order[i - 1]->input, order[i]->input, order[i]->output);
    }
    return 0;
}

struct file_id {
    dev_t device;
    ino_t number;
    const char *path; /* borrowed */
};

static int by_id(const void *a, const void *b)
{
    const struct file_id *left = a, *right = b;
    if (left->device != right->device)
        return left->device < right->device ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

/* Of the inputs that are there, in order; their number. */
static size_t identify(const struct targets *targets, struct file_id *ids)
{
    size_t count = 0;
    for (size_t i = 0; i < targets->count; i++) {
        struct target *target = &targets->target[i];
        struct stat info;
        if (stat(target->input, &info) < 0)
            continue;
        target->bytes = info.st_size;
        ids[count++] = (struct file_id){info.st_dev, info.st_ino, target->input};
    }
    qsort(ids, count, sizeof(*ids), by_id);
    return count;
}

/* Another attempt would work on what an earlier one made. */
static int check_inputs_spared(const struct targets *targets, struct error *err)
{
    CLEANUP_FREE struct file_id *ids = xreallocarray(NULL, targets->count, sizeof(*ids));
    size_t count = identify(targets, ids);
    for (size_t i = 0; i < targets->count; i++) {
        struct stat info;
        if (stat(targets->target[i].output, &info) < 0)
            continue;
        struct file_id is = {.device = info.st_dev, .number = info.st_ino};
        if (bsearch(&is, ids, count, sizeof(*ids), by_id) != NULL)
            return error_set_field(err, "params.output",
                                   "output is \"%.200s\", which is the input; it must be another "
                                   "file",
                                   targets->target[i].output);
    }
    return 0;
}

int targets_plan(const struct request *request, const struct options *options, const json_t *inputs,
                 bool several, struct targets *ret, struct error *err)
{
    ret->target = xcalloc(json_array_size(inputs), sizeof(*ret->target));
    ret->folder = several ? folder_path(request) : NULL;
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        struct target *target = &ret->target[ret->count++];
        target->input = xstrdup(json_string_value(json_array_get(inputs, i)));
        if ((several ? name_output(options, ret->folder, target, err)
                     : plan_one(request, options, target, err)) < 0)
            return -1;
    }
    if (check_folder(ret, err) < 0 || check_quality(request, ret, err) < 0 ||
        check_clashes(ret, err) < 0)
        return -1;
    return check_inputs_spared(ret, err);
}
