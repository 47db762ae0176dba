/* Colour spaces. After colour_prepare a picture has 8 or 16 bits a sample and is grey or RGB, or
 * CMYK where that may stay; alpha, if any, is the last band. RGB and grey stay in the space of
 * their ICC profile, which goes along into the output. */
#ifndef BATCHD_PROCESSORS_IMAGE_COLOUR_H
#define BATCHD_PROCESSORS_IMAGE_COLOUR_H

#include "common/error.h"

#include <stdbool.h>
#include <vips/vips.h>

struct format;

/* 0, or -1 with ERROR_DAMAGED: samples or bands that make no picture. */
int colour_prepare(VipsImage **image, bool keep_cmyk, struct error *err);

/* To what the format can hold: alpha over white, 8 bits, RGB for grey. 0, or -1. */
int colour_fit(VipsImage **image, const struct format *format, struct error *err);

/* Takes the alpha band off *image. *ret_alpha is NULL when there was none, else owned. 0, or -1
 * with vips's error buffer filled. */
int alpha_split(VipsImage **image, VipsImage **ret_alpha);
/* Puts it back; alpha may be NULL. */
int alpha_join(VipsImage **image, VipsImage *alpha);

#endif
