#include "processors/image/colour.h"

#include "processors/image/fault.h"
#include "processors/image/format.h"
#include "processors/image/picture.h"
#include "processors/lib/report.h"

static bool is_deep(const VipsImage *image)
{
    return image->BandFmt == VIPS_FORMAT_USHORT;
}

static bool has_profile(VipsImage *image)
{
    return vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0;
}

/* By the embedded profile; where there is none, CMYK by the one that vips brings, and the rest as
 * sRGB's kin. The output carries the profile of what it now is. */
static int to_rgb(VipsImage **image)
{
    VipsImage *made = NULL;
    int depth = is_deep(*image) ? 16 : 8;
    bool cmyk = (*image)->Type == VIPS_INTERPRETATION_CMYK;
    if ((cmyk || has_profile(*image)) &&
        vips_icc_transform(*image, &made, "srgb", "embedded", TRUE, "input_profile",
                           cmyk ? "cmyk" : "srgb", "black_point_compensation", TRUE, "depth", depth,
                           NULL) == 0) {
        image_replace(image, made);
        return 0;
    }
    g_clear_object(&made);
    if (cmyk)
        return -1;
    vips_error_clear();
    if (vips_colourspace(*image, &made,
                         depth == 16 ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB,
                         NULL) < 0)
        return -1;
    image_replace(image, made);
    (void)vips_image_remove(*image, VIPS_META_ICC_NAME);
    return 0;
}

/* Spaces of measured colour (Lab, XYZ, linear RGB) come in floating point. */
static int from_float(VipsImage **image)
{
    VipsImage *made = NULL;
    if (vips_colourspace(*image, &made, VIPS_INTERPRETATION_RGB16, NULL) < 0)
        return -1;
    image_replace(image, made);
    (void)vips_image_remove(*image, VIPS_META_ICC_NAME);
    return 0;
}

static int refuse(const VipsImage *image, VipsInterpretation space, struct error *err)
{
    return error_set(
        err, ERROR_DAMAGED,
        "input has %d bands of type %s in colour space %s; it must be grey, RGB or CMYK "
        "of 8 or 16 bits",
        image->Bands, vips_enum_nick(VIPS_TYPE_BAND_FORMAT, (int)image->BandFmt),
        vips_enum_nick(VIPS_TYPE_INTERPRETATION, (int)space));
}

/* With the bands that the space needs, and one more at most, which is alpha. */
static bool has_bands(const VipsImage *image, int colours)
{
    return image->Bands == colours || image->Bands == colours + 1;
}

static int convert_rgb(VipsImage **image, struct error *err)
{
    CLEANUP_IMAGE VipsImage *alpha = NULL;
    if (alpha_split(image, &alpha) < 0 || to_rgb(image) < 0 || alpha_join(image, alpha) < 0)
        return fault_set(err, ERROR_DAMAGED, "input cannot be converted to RGB");
    return 0;
}

int colour_prepare(VipsImage **image, bool keep_cmyk, struct error *err)
{
    VipsInterpretation space = vips_image_guess_interpretation(*image);
    bool whole = (*image)->BandFmt == VIPS_FORMAT_UCHAR || is_deep(*image);
    if (space == VIPS_INTERPRETATION_CMYK && whole && has_bands(*image, 4))
        return keep_cmyk && (*image)->Bands == 4 ? 0 : convert_rgb(image, err);
    bool grey = space == VIPS_INTERPRETATION_B_W || space == VIPS_INTERPRETATION_GREY16;
    bool rgb = space == VIPS_INTERPRETATION_sRGB || space == VIPS_INTERPRETATION_RGB16;
    if (whole && ((grey && has_bands(*image, 1)) || (rgb && has_bands(*image, 3))))
        return 0;
    bool measured = space == VIPS_INTERPRETATION_scRGB || space == VIPS_INTERPRETATION_LAB ||
                    space == VIPS_INTERPRETATION_XYZ || space == VIPS_INTERPRETATION_LABS;
    if (!measured || (*image)->Bands != 3)
        return refuse(*image, space, err);
    if (from_float(image) < 0)
        return fault_set(err, ERROR_DAMAGED, "input cannot be converted to RGB");
    return 0;
}

static int flatten(VipsImage **image)
{
    VipsImage *made = NULL;
    double white = image_white(*image);
    VipsArrayDouble *background = vips_array_double_new(&white, 1);
    int failed = vips_flatten(*image, &made, "background", background, "max_alpha", white, NULL);
    vips_area_unref(VIPS_AREA(background));
    if (failed < 0)
        return -1;
    image_replace(image, made);
    report_log("the format has no transparency; the picture is laid over white");
    return 0;
}

/* By a shift, alpha too: 65535 becomes 255. */
static int to_8_bits(VipsImage **image)
{
    VipsInterpretation space =
        (*image)->Type == VIPS_INTERPRETATION_GREY16  ? VIPS_INTERPRETATION_B_W
        : (*image)->Type == VIPS_INTERPRETATION_RGB16 ? VIPS_INTERPRETATION_sRGB
                                                      : (*image)->Type;
    return image_cast(image, VIPS_FORMAT_UCHAR, true, space);
}

int colour_fit(VipsImage **image, const struct format *format, struct error *err)
{
    if (!format->alpha && vips_image_hasalpha(*image) && flatten(image) < 0)
        return fault_set(err, ERROR_INTERNAL, "transparency");
    if (!format->deep && is_deep(*image) && to_8_bits(image) < 0)
        return fault_set(err, ERROR_INTERNAL, "conversion to 8 bits");
    return !format->grey && (*image)->Bands < 3 ? convert_rgb(image, err) : 0;
}

int alpha_split(VipsImage **image, VipsImage **ret_alpha)
{
    VipsImage *made = NULL;
    int colours = (*image)->Bands - 1;
    if (!vips_image_hasalpha(*image))
        return 0;
    if (vips_extract_band(*image, ret_alpha, colours, NULL) < 0 ||
        vips_extract_band(*image, &made, 0, "n", colours, NULL) < 0)
        return -1;
    image_replace(image, made);
    return 0;
}

int alpha_join(VipsImage **image, VipsImage *alpha)
{
    VipsImage *made = NULL;
    if (alpha == NULL)
        return 0;
    if (vips_bandjoin2(*image, alpha, &made, NULL) < 0)
        return -1;
    image_replace(image, made);
    return 0;
}
