/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a file holds, as measured by reading it to its end: the "media" of a result. */
#ifndef BATCHD_PROCESSORS_MEDIA_FACTS_H
#define BATCHD_PROCESSORS_MEDIA_FACTS_H

#include <jansson.h>

struct reader;

/* {container, duration_us, frames, video: {codec, profile, width, height, shown_width,
 *  shown_height, pixel_format, rotation, mirrored, rate, variable_rate}, audio: {codec,
 *  sample_rate, channels, packets} or null, streams: [{index, type, codec}]}; after reader_run.
 * Owned by the caller. */
json_t *facts_media(const struct reader *reader);

#endif
