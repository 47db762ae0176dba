/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a display matrix (libavutil/display.h) means: in words, and as filters. */
#ifndef BATCHD_PROCESSORS_MEDIA_ROTATION_H
#define BATCHD_PROCESSORS_MEDIA_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

/* Clockwise turn for display in degrees, 0 to 359, and whether the picture is mirrored as well;
 * NULL is no turn. */
int rotation_of(const int32_t *matrix, bool *ret_mirrored);

/* Whether it is made of quarter turns and mirrors alone, of any size; true for NULL. Others turn by
 * some angle, or shear: pictures of pixels are not brought there, and it is left to the player. */
bool rotation_is_quarters(const int32_t *matrix);

/* The filters of libavfilter that turn and mirror pictures as they are shown, each with a comma
 * behind; "" when there is nothing to turn, or it is not made of quarters. */
const char *rotation_filters(const int32_t *matrix);
/* Whether those exchange width and height. */
bool rotation_is_sideways(const int32_t *matrix);

#endif
