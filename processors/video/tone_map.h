/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From the light and the colours of HDR to those of ordinary pictures, for stills. */
#ifndef BATCHD_PROCESSORS_VIDEO_TONE_MAP_H
#define BATCHD_PROCESSORS_VIDEO_TONE_MAP_H

#include "processors/media/colour.h"

#include <stdbool.h>
#include <stddef.h>

/* The filters, with a comma behind; pictures come out as GBR of 8 bits. false: it is no HDR, or
 * these filters cannot do it. */
bool tone_map_filters(const struct colour *colour, char *ret, size_t bytes);

#endif
