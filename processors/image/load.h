/* From a file to a picture: only its header is read here, and what it claims is held against the
 * limits before any pixel is decoded. The pixels come top to bottom, once, when they are asked for.
 */
#ifndef BATCHD_PROCESSORS_IMAGE_LOAD_H
#define BATCHD_PROCESSORS_IMAGE_LOAD_H

#include "common/error.h"

#include <jansson.h>
#include <vips/vips.h>

/* 16384 x 16384, above the 200 megapixels of the largest cameras. Two pictures of the output's size
 * are held at a time (enhance from, save from), at up to 4 bands of 2 bytes: 2^28 x 8 x 2 = 4 GiB
 * for the widest pixels, 2^28 x 3 x 2 = 1.5 GiB for the usual 8-bit RGB. libheif has the same
 * limit. */
#define PIXELS_MAX (1LL << 28)

/* NULL with ERROR_DAMAGED (no picture, damaged) or ERROR_LIMIT. `what` and `path` are for error
 * texts only where the file is not the same as what they name. The caller owns the result;
 * *ret_format is static. */
VipsImage *picture_load(const char *path, const char *what, const char **ret_format,
                        struct error *err);

/* 0, or -1 with ERROR_LIMIT and the arithmetic in the text. */
int picture_check_size(const char *what, int width, int height, struct error *err);

/* {format, width, height, bands, bits, colour, alpha, profile, pages}; a new reference. */
json_t *picture_facts(VipsImage *image, const char *format);

#endif
