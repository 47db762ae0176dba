#include "processors/image/options.h"

#include "processors/image/format.h"
#include "processors/lib/request.h"

#include <stdlib.h>

#define CLAHE_LIMIT 3
#define SHARPEN_AMOUNT 1.0
#define DENOISE_RADIUS 1
#define QUALITY 90

/* A strength without its switch would do nothing, silently. */
static int check_switch(const struct request *request, const char *name, const char *strength,
                        struct error *err)
{
    if (request_bool(request, name, 0) || json_object_get(request->params, strength) == NULL)
        return 0;
    return error_set_field(err, strength, "%s is given, but %s is not true", strength, name);
}

static int check_switches(const struct request *request, struct error *err)
{
    if (check_switch(request, "clahe", "clahe_limit", err) < 0 ||
        check_switch(request, "sharpen", "sharpen_amount", err) < 0)
        return -1;
    return check_switch(request, "denoise", "denoise_radius", err);
}

static int take_format(const struct request *request, struct options *options, struct error *err)
{
    const char *name = request_string(request, "format", NULL);
    options->format = name == NULL ? format_by_suffix(options->output) : format_by_name(name);
    if (options->format == NULL)
        return error_set_field(err, "output",
                               "output is \"%.200s\"; its suffix must be one of .jpg .jpeg .png "
                               ".webp .tif .tiff, or format must name the format",
                               options->output);
    if (!options->format->lossy && request_int(request, "quality", 0) != 0)
        return error_set_field(err, "quality", "quality is %d; %s is lossless and has none",
                               request_int(request, "quality", 0), options->format->name);
    return 0;
}

int options_read(const struct request *request, struct options *ret, struct error *err)
{
    ret->input = request_path(request, "input");
    ret->output = request_path(request, "output");
    ret->width = request_int(request, "width", 0);
    ret->height = request_int(request, "height", 0);
    ret->auto_levels = request_bool(request, "auto_levels", 0);
    ret->quality = request_int(request, "quality", QUALITY);
    if (request_bool(request, "denoise", 0))
        ret->denoise_radius = request_int(request, "denoise_radius", DENOISE_RADIUS);
    if (request_bool(request, "clahe", 0))
        ret->clahe_limit = request_int(request, "clahe_limit", CLAHE_LIMIT);
    if (request_bool(request, "sharpen", 0))
        ret->sharpen_amount = request_number(request, "sharpen_amount", SHARPEN_AMOUNT);
    if (check_switches(request, err) < 0)
        return -1;
    return take_format(request, ret, err);
}

void options_done(struct options *options)
{
    free(options->input);
    free(options->output);
    *options = (struct options){0};
}

bool options_enhance(const struct options *options)
{
    return options->auto_levels || options->clahe_limit > 0 || options->sharpen_amount > 0;
}
