#include "processors/image/options.h"

#include "processors/image/format.h"
#include "processors/lib/request.h"

#define CLAHE_LIMIT 3
#define SHARPEN_AMOUNT 1.0
#define DENOISE_RADIUS 1
#define QUALITY 90

/* A strength without its switch would do nothing, silently. */
static int check_switch(const struct request *request, const char *name, const char *strength,
                        struct error *err)
{
    char field[ERROR_FIELD_BYTES];
    if (request_bool(request, name, 0) || json_object_get(request->params, strength) == NULL)
        return 0;
    (void)snprintf(field, sizeof(field), "params.%s", strength);
    return error_set_field(err, field, "%s is given, but params.%s is not true", field, name);
}

static int check_switches(const struct request *request, struct error *err)
{
    if (check_switch(request, "clahe", "clahe_limit", err) < 0 ||
        check_switch(request, "sharpen", "sharpen_amount", err) < 0)
        return -1;
    return check_switch(request, "denoise", "denoise_radius", err);
}

static int check_size(const struct options *options, struct error *err)
{
    if (options->scale <= 0 || (options->width == 0 && options->height == 0))
        return 0;
    return error_set_field(err, "params.scale",
                           "scale is %g, and %s is given too; one of them must go", options->scale,
                           options->width > 0 ? "width" : "height");
}

int options_read(const struct request *request, struct options *ret, struct error *err)
{
    const char *format = request_string(request, "format", NULL);
    ret->format = format == NULL ? NULL : format_by_name(format);
    ret->width = request_int(request, "width", 0);
    ret->height = request_int(request, "height", 0);
    ret->scale = request_number(request, "scale", 0);
    ret->auto_levels = request_bool(request, "auto_levels", 0);
    ret->quality = request_int(request, "quality", QUALITY);
    if (request_bool(request, "denoise", 0))
        ret->denoise_radius = request_int(request, "denoise_radius", DENOISE_RADIUS);
    if (request_bool(request, "clahe", 0))
        ret->clahe_limit = request_int(request, "clahe_limit", CLAHE_LIMIT);
    if (request_bool(request, "sharpen", 0))
        ret->sharpen_amount = request_number(request, "sharpen_amount", SHARPEN_AMOUNT);
    return check_switches(request, err) < 0 ? -1 : check_size(ret, err);
}

bool options_enhance(const struct options *options)
{
    return options->auto_levels || options->clahe_limit > 0 || options->sharpen_amount > 0;
}
