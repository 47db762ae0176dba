/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a display matrix (libavutil/display.h) means in words. */
#ifndef BATCHD_PROCESSORS_MEDIA_ROTATION_H
#define BATCHD_PROCESSORS_MEDIA_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

/* Clockwise turn for display in degrees, 0 to 359, and whether the picture is mirrored as well;
 * NULL is no turn. */
int rotation_of(const int32_t *matrix, bool *ret_mirrored);

#endif
