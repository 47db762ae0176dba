/* From a picture in memory to a file of its format, and back: what was written is decoded again and
 * held against what was meant. */
#ifndef BATCHD_PROCESSORS_IMAGE_SAVE_H
#define BATCHD_PROCESSORS_IMAGE_SAVE_H

#include "common/error.h"

#include <jansson.h>
#include <vips/vips.h>

struct format;
struct target;

/* `image` fits the format (colour_fit). 0, or -1 with ERROR_IO. */
int save_write(VipsImage *image, const struct target *target, int quality, const char *path,
               struct error *err);

/* Decodes the whole of `path`. *ret_media are its facts, *ret_metrics {psnr, identical}; both owned
 * by the caller. -1 with ERROR_IO when it cannot be read, or is not what was meant: for a lossless
 * format any difference, for a lossy one another size, depth or picture. */
int save_check(VipsImage *meant, const struct format *format, const char *path, json_t **ret_media,
               json_t **ret_metrics, struct error *err);

#endif
