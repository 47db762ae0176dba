/* What the request asks for, checked across its parameters (manifest.json has checked each alone).
 */
#ifndef BATCHD_PROCESSORS_IMAGE_OPTIONS_H
#define BATCHD_PROCESSORS_IMAGE_OPTIONS_H

#include "common/error.h"

#include <stdbool.h>

struct format;
struct request;

struct options {
    char *input;                 /* owned; absolute */
    char *output;                /* owned; absolute */
    const struct format *format; /* static */
    int width, height;           /* upright pixels; 0 = not asked */
    int denoise_radius;          /* pixels; 0 = off */
    bool auto_levels;
    int clahe_limit;       /* slope; 0 = off */
    double sharpen_amount; /* 0 = off */
    int quality;           /* for the lossy formats */
};

/* *ret must be zeroed; release with options_done in any case. 0, or -1 with ERROR_INVALID. */
int options_read(const struct request *request, struct options *ret, struct error *err);
void options_done(struct options *options);

/* Whether something works on lightness, which CMYK has not. */
bool options_enhance(const struct options *options);

#endif
