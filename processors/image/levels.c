#include "processors/image/levels.h"

#include "processors/image/picture.h"

/* Of the pixels, dark and light, that may clip: specks must not decide. */
#define CLIP_SHARE 0.005
/* A picture with less than 1/16 of the range is flat (fog, a blank page): stretching it would show
 * noise and steps. */
#define FLAT_PART 16

/* The first value up to which at least `wanted` pixels lie. */
static size_t value_at(const guint32 *counts, size_t values, double wanted)
{
    double sum = 0;
    for (size_t i = 0; i < values; i++) {
        sum += counts[i];
        if (sum > wanted)
            return i;
    }
    return values - 1;
}

static int find_ends(VipsImage *grey, double *ret_low, double *ret_high)
{
    CLEANUP_IMAGE VipsImage *histogram = NULL;
    CLEANUP_IMAGE VipsImage *counts = NULL;
    size_t bytes = 0;
    if (vips_hist_find(grey, &histogram, NULL) < 0 ||
        vips_cast(histogram, &counts, VIPS_FORMAT_UINT, NULL) < 0)
        return -1;
    guint32 *values = vips_image_write_to_memory(counts, &bytes);
    if (values == NULL)
        return -1;
    double pixels = (double)grey->Xsize * grey->Ysize;
    *ret_low = (double)value_at(values, bytes / sizeof(*values), pixels * CLIP_SHARE);
    *ret_high = (double)value_at(values, bytes / sizeof(*values), pixels * (1 - CLIP_SHARE));
    g_free(values);
    return 0;
}

int levels_stretch(VipsImage **image)
{
    CLEANUP_IMAGE VipsImage *grey = NULL;
    VipsImage *made = NULL;
    double white = image_white(*image);
    double low = 0;
    double high = 0;
    if (vips_colourspace(*image, &grey,
                         white > 255 ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W,
                         NULL) < 0 ||
        find_ends(grey, &low, &high) < 0)
        return -1;
    if (high - low < white / FLAT_PART)
        return 0;
    double gain = white / (high - low);
    VipsInterpretation space = (*image)->Type;
    VipsBandFormat format = (*image)->BandFmt;
    /* The half rounds: the cast cuts off, and clips. */
    if (vips_linear1(*image, &made, gain, 0.5 - low * gain, NULL) < 0)
        return -1;
    image_replace(image, made);
    return image_cast(image, format, false, space);
}
