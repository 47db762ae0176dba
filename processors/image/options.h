/* What the request asks of each picture, checked across its parameters (manifest.json has checked
 * each alone). Which pictures: targets.h. */
#ifndef BATCHD_PROCESSORS_IMAGE_OPTIONS_H
#define BATCHD_PROCESSORS_IMAGE_OPTIONS_H

#include "common/error.h"

#include <stdbool.h>

struct format;
struct request;

struct options {
    const struct format *format; /* static; NULL = by the suffix of each */
    int width, height;           /* upright pixels; 0 = not asked */
    double scale;                /* times the input's size; 0 = not asked */
    int denoise_radius;          /* pixels; 0 = off */
    bool auto_levels;
    int clahe_limit;       /* slope; 0 = off */
    double sharpen_amount; /* 0 = off */
    int quality;           /* for the lossy formats */
};

/* 0, or -1 with ERROR_INVALID. */
int options_read(const struct request *request, struct options *ret, struct error *err);

/* Whether something works on lightness, which CMYK has not. */
bool options_enhance(const struct options *options);

#endif
