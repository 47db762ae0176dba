#include "processors/image/enhance.h"

#include "processors/image/clahe.h"
#include "processors/image/colour.h"
#include "processors/image/levels.h"
#include "processors/image/median.h"
#include "processors/image/options.h"
#include "processors/image/picture.h"

/* vips's own slope for edges is 3 at amount 1. Radius (sigma) 1 pixel: for screens; vips's 0.5 is
 * for print. */
#define SHARPEN_SIGMA 1.0
#define SHARPEN_SLOPE 3.0

int enhance_denoise(VipsImage **image, int radius)
{
    int side = 2 * radius + 1;
    CLEANUP_IMAGE VipsImage *alpha = NULL;
    /* A picture smaller than the window has no neighbourhood to take a median of. */
    if ((*image)->Xsize < side || (*image)->Ysize < side)
        return 0;
    if (alpha_split(image, &alpha) < 0 || median(image, radius) < 0)
        return -1;
    return alpha_join(image, alpha);
}

static int sharpen(VipsImage **image, double amount)
{
    VipsImage *made = NULL;
    if (vips_sharpen(*image, &made, "sigma", SHARPEN_SIGMA, "m2", SHARPEN_SLOPE * amount, NULL) < 0)
        return -1;
    image_replace(image, made);
    return 0;
}

static int convert(VipsImage **image, VipsInterpretation space)
{
    VipsImage *made = NULL;
    if (vips_colourspace(*image, &made, space, NULL) < 0)
        return -1;
    image_replace(image, made);
    return 0;
}

/* On the lightness alone. Where both are asked for the colours are taken apart once: vips_sharpen
 * works in LABS, too. */
static int enhance_light(VipsImage **image, const struct options *options)
{
    VipsInterpretation space = (*image)->Type;
    bool apart = options->clahe_limit > 0 && (*image)->Bands > 1;
    if (apart && convert(image, VIPS_INTERPRETATION_LABS) < 0)
        return -1;
    if (options->clahe_limit > 0 && clahe(image, options->clahe_limit) < 0)
        return -1;
    if (options->sharpen_amount > 0 && sharpen(image, options->sharpen_amount) < 0)
        return -1;
    return apart ? convert(image, space) : 0;
}

int enhance(VipsImage **image, const struct options *options)
{
    CLEANUP_IMAGE VipsImage *alpha = NULL;
    if (!options_enhance(options))
        return 0;
    if (alpha_split(image, &alpha) < 0)
        return -1;
    if (options->auto_levels && levels_stretch(image) < 0)
        return -1;
    return enhance_light(image, options) < 0 ? -1 : alpha_join(image, alpha);
}
