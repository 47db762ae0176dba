#include "processors/image/shape.h"

#include "processors/image/format.h"
#include "processors/image/load.h"
#include "processors/image/options.h"
#include "processors/image/picture.h"

#include <math.h>

/* The other side in proportion; it is counted in double, since it may pass int. */
static double in_proportion(int asked, int side, int other)
{
    double length = round((double)asked * other / side);
    return length < 1 ? 1 : length;
}

static int check_side(const char *name, double length, const struct format *format,
                      struct error *err)
{
    char field[ERROR_FIELD_BYTES];
    if (length <= format->side_max)
        return 0;
    (void)snprintf(field, sizeof(field), "params.%s", name);
    return error_set_field(err, field, "the output's %s would be %.0f pixels; %s holds at most %d",
                           name, length, format->name, format->side_max);
}

/* Upright, in double: a side may pass int. */
struct size {
    double width, height;
};

static struct size plan_size(const struct options *options, int width, int height)
{
    struct size size = {width, height};
    if (options->scale > 0) {
        size.width = fmax(1, round(width * options->scale));
        size.height = fmax(1, round(height * options->scale));
    }
    if (options->width > 0 || options->height > 0) {
        size.width =
            options->width > 0 ? options->width : in_proportion(options->height, height, width);
        size.height =
            options->height > 0 ? options->height : in_proportion(options->width, width, height);
    }
    return size;
}

int shape_plan(VipsImage *image, const struct options *options, const struct format *format,
               struct shape *ret, struct error *err)
{
    bool turned = vips_image_get_orientation_swap(image);
    int width = turned ? image->Ysize : image->Xsize;
    int height = turned ? image->Xsize : image->Ysize;
    struct size size = plan_size(options, width, height);
    if (check_side("width", size.width, format, err) < 0 ||
        check_side("height", size.height, format, err) < 0 ||
        picture_check_size("output", (int)size.width, (int)size.height, err) < 0)
        return -1;
    ret->width = (int)(turned ? size.height : size.width);
    ret->height = (int)(turned ? size.width : size.height);
    return 0;
}

static int scale(VipsImage **image, const struct shape *shape)
{
    VipsImage *made = NULL;
    if (vips_resize(*image, &made, (double)shape->width / (*image)->Xsize, "vscale",
                    (double)shape->height / (*image)->Ysize, "kernel", VIPS_KERNEL_LANCZOS3,
                    NULL) < 0)
        return -1;
    image_replace(image, made);
    return 0;
}

/* Rounds, which a cast alone does not, and clips what the kernel's overshoot put out of range. */
static int to_format(VipsImage **image, VipsBandFormat format)
{
    VipsImage *made = NULL;
    if (vips_rint(*image, &made, NULL) < 0)
        return -1;
    image_replace(image, made);
    if (vips_cast(*image, &made, format, NULL) < 0)
        return -1;
    image_replace(image, made);
    return 0;
}

/* Colours weighted by their alpha: what hides under full transparency must not bleed into edges. */
static int scale_with_alpha(VipsImage **image, const struct shape *shape)
{
    VipsBandFormat format = (*image)->BandFmt;
    double white = image_white(*image);
    VipsImage *made = NULL;
    if (vips_premultiply(*image, &made, "max_alpha", white, NULL) < 0)
        return -1;
    image_replace(image, made);
    if (scale(image, shape) < 0)
        return -1;
    if (vips_unpremultiply(*image, &made, "max_alpha", white, NULL) < 0)
        return -1;
    image_replace(image, made);
    return to_format(image, format);
}

int shape_resize(VipsImage **image, const struct shape *shape)
{
    if (shape->width == (*image)->Xsize && shape->height == (*image)->Ysize)
        return 0;
    return vips_image_hasalpha(*image) ? scale_with_alpha(image, shape) : scale(image, shape);
}
