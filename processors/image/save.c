#include "processors/image/save.h"

#include "common/json.h"
#include "processors/image/fault.h"
#include "processors/image/format.h"
#include "processors/image/load.h"
#include "processors/image/picture.h"
#include "processors/image/targets.h"

#include <math.h>

/* dB. JPEG at quality 1 keeps about 20; an inverted or empty picture has less than 10. */
#define PSNR_MIN 10.0

static int write_format(VipsImage *image, enum format_kind kind, int quality, const char *path)
{
    switch (kind) {
    case FORMAT_JPEG:
        return vips_jpegsave(image, path, "Q", quality, NULL);
    case FORMAT_PNG:
        return vips_pngsave(image, path, NULL);
    case FORMAT_WEBP:
        return vips_webpsave(image, path, "Q", quality, NULL);
    case FORMAT_TIFF:
        return vips_tiffsave(image, path, "compression", VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE,
                             "predictor", VIPS_FOREIGN_TIFF_PREDICTOR_HORIZONTAL, NULL);
    }
    return -1;
}

int save_write(VipsImage *image, const struct target *target, int quality, const char *path,
               struct error *err)
{
    if (write_format(image, target->format->kind, quality, path) < 0)
        return fault_set(err, ERROR_IO, "output \"%.120s\" cannot be written", target->output);
    return 0;
}

/* WebP leaves out an alpha band that hides nothing. */
static int restore_alpha(VipsImage **image, const VipsImage *meant)
{
    VipsImage *made = NULL;
    if ((*image)->Bands + 1 != meant->Bands)
        return 0;
    if (vips_addalpha(*image, &made, NULL) < 0)
        return -1;
    image_replace(image, made);
    return 0;
}

/* What shows: the colour under full transparency is free to change. */
static int visible(VipsImage *image, VipsImage **ret)
{
    return vips_image_hasalpha(image) ? vips_premultiply(image, ret, NULL)
                                      : vips_cast(image, ret, VIPS_FORMAT_FLOAT, NULL);
}

static int mean_square(VipsImage *is, VipsImage *meant, double *ret)
{
    CLEANUP_IMAGE VipsImage *left = NULL;
    CLEANUP_IMAGE VipsImage *right = NULL;
    CLEANUP_IMAGE VipsImage *difference = NULL;
    CLEANUP_IMAGE VipsImage *square = NULL;
    if (visible(is, &left) < 0 || visible(meant, &right) < 0 ||
        vips_subtract(left, right, &difference, NULL) < 0 ||
        vips_multiply(difference, difference, &square, NULL) < 0)
        return -1;
    return vips_avg(square, ret, NULL);
}

static int check_form(const VipsImage *is, const VipsImage *meant, struct error *err)
{
    if (is->Xsize == meant->Xsize && is->Ysize == meant->Ysize && is->Bands == meant->Bands &&
        is->BandFmt == meant->BandFmt)
        return 0;
    return error_set(
        err, ERROR_IO,
        "output reads back as %d x %d, %d bands of %s; it was to be %d x %d, %d of %s", is->Xsize,
        is->Ysize, is->Bands, vips_enum_nick(VIPS_TYPE_BAND_FORMAT, (int)is->BandFmt), meant->Xsize,
        meant->Ysize, meant->Bands, vips_enum_nick(VIPS_TYPE_BAND_FORMAT, (int)meant->BandFmt));
}

static int check_pixels(VipsImage *is, VipsImage *meant, const struct format *format,
                        json_t *metrics, struct error *err)
{
    double square = 0;
    if (mean_square(is, meant, &square) < 0)
        return fault_set(err, ERROR_IO, "output cannot be read back");
    double white = image_white(meant);
    double psnr = square > 0 ? 10 * log10(white * white / square) : INFINITY;
    if (square > 0 && (!format->lossy || psnr < PSNR_MIN))
        return error_set(err, ERROR_IO,
                         "output reads back as another picture (PSNR %.1f dB, %s); it is not kept",
                         psnr, format->name);
    json_put(metrics, "psnr", square > 0 ? json_real(psnr) : json_null());
    json_put(metrics, "identical", json_boolean(square <= 0));
    return 0;
}

int save_check(VipsImage *meant, const struct format *format, const char *path, json_t **ret_media,
               json_t **ret_metrics, struct error *err)
{
    const char *found = NULL;
    CLEANUP_JSON json_t *metrics = json_object();
    CLEANUP_IMAGE VipsImage *is = picture_load(path, "output, read back,", &found, err);
    if (is == NULL) {
        err->code = ERROR_IO;
        return -1;
    }
    CLEANUP_JSON json_t *media = picture_facts(is, found);
    if (restore_alpha(&is, meant) < 0)
        return fault_set(err, ERROR_IO, "output cannot be read back");
    if (check_form(is, meant, err) < 0 || check_pixels(is, meant, format, metrics, err) < 0)
        return -1;
    *ret_media = TAKE_PTR(media);
    *ret_metrics = TAKE_PTR(metrics);
    return 0;
}
