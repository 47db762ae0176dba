#include "processors/image/clahe.h"

#include "processors/image/picture.h"

/* The window's side: an eighth of the shorter side, so that the effect is the same at every size,
 * within bounds: fewer pixels make no histogram, and the time for a pixel grows with the side. */
#define WINDOW_PART 8
#define WINDOW_MIN 32
#define WINDOW_MAX 64
#define VALUES 256       /* of 8 bits */
#define LABS_WHITE 32767 /* L* = 100 in vips's 16-bit Lab */

static int window_side(int length, int shorter)
{
    int side = VIPS_CLIP(WINDOW_MIN, shorter / WINDOW_PART, WINDOW_MAX);
    return side < length ? side : length;
}

/* vips's max_slope is no slope but the most pixels of one value that a window counts; what is cut
 * off is spread over all 256, which adds a slope of up to 1. The slope that comes out is therefore
 * 1 + max_slope x 256 / pixels. It takes at most 100: 1 + 100 x 256 / 64^2 = 7.25 (manifest.json).
 */
static int count_limit(int pixels, int slope)
{
    int count = (slope - 1) * pixels / VALUES;
    return count < 1 ? 1 : count;
}

static int equalise(VipsImage *eight, VipsImage **ret, int limit)
{
    int shorter = VIPS_MIN(eight->Xsize, eight->Ysize);
    int width = window_side(eight->Xsize, shorter);
    int height = window_side(eight->Ysize, shorter);
    if (width * height < VALUES) /* too few pixels to say what is common there */
        return vips_copy(eight, ret, NULL);
    return vips_hist_local(eight, ret, width, height, "max_slope",
                           count_limit(width * height, limit), NULL);
}

/* light + (equalised - eight) in light's range, clipped to 0..white. */
static int add_change(VipsImage *light, VipsImage *eight, VipsImage *equal, double white,
                      VipsImage **ret)
{
    CLEANUP_IMAGE VipsImage *change = NULL;
    CLEANUP_IMAGE VipsImage *scaled = NULL;
    CLEANUP_IMAGE VipsImage *sum = NULL;
    CLEANUP_IMAGE VipsImage *clipped = NULL;
    if (vips_subtract(equal, eight, &change, NULL) < 0 ||
        vips_linear1(change, &scaled, white / 255, 0.5, NULL) < 0 ||
        vips_add(light, scaled, &sum, NULL) < 0 ||
        vips_cast(sum, &clipped, VIPS_FORMAT_USHORT, NULL) < 0)
        return -1;
    return vips_cast(clipped, ret, light->BandFmt, NULL);
}

/* One band of 0..white. */
static int equalise_light(VipsImage *light, double white, int limit, VipsImage **ret)
{
    CLEANUP_IMAGE VipsImage *scaled = NULL;
    CLEANUP_IMAGE VipsImage *eight = NULL;
    CLEANUP_IMAGE VipsImage *equal = NULL;
    if (vips_linear1(light, &scaled, 255 / white, 0.5, NULL) < 0 ||
        vips_cast(scaled, &eight, VIPS_FORMAT_UCHAR, NULL) < 0 ||
        equalise(eight, &equal, limit) < 0)
        return -1;
    return add_change(light, eight, equal, white, ret);
}

static int clahe_grey(VipsImage **image, int limit)
{
    VipsImage *made = NULL;
    if (equalise_light(*image, image_white(*image), limit, &made) < 0)
        return -1;
    image_replace(image, made);
    return 0;
}

static int clahe_rgb(VipsImage **image, int limit)
{
    CLEANUP_IMAGE VipsImage *lab = NULL;
    CLEANUP_IMAGE VipsImage *light = NULL;
    CLEANUP_IMAGE VipsImage *hue = NULL;
    CLEANUP_IMAGE VipsImage *lighter = NULL;
    CLEANUP_IMAGE VipsImage *joined = NULL;
    CLEANUP_IMAGE VipsImage *marked = NULL;
    VipsImage *made = NULL;
    if (vips_colourspace(*image, &lab, VIPS_INTERPRETATION_LABS, NULL) < 0 ||
        vips_extract_band(lab, &light, 0, NULL) < 0 ||
        vips_extract_band(lab, &hue, 1, "n", 2, NULL) < 0 ||
        equalise_light(light, LABS_WHITE, limit, &lighter) < 0 ||
        vips_bandjoin2(lighter, hue, &joined, NULL) < 0 ||
        vips_copy(joined, &marked, "interpretation", VIPS_INTERPRETATION_LABS, NULL) < 0 ||
        vips_colourspace(marked, &made, (*image)->Type, NULL) < 0)
        return -1;
    image_replace(image, made);
    return 0;
}

int clahe(VipsImage **image, int limit)
{
    return (*image)->Bands == 1 ? clahe_grey(image, limit) : clahe_rgb(image, limit);
}
