/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a file holds, as measured by reading it to its end: the "media" of a result. */
#ifndef BATCHD_PROCESSORS_MEDIA_FACTS_H
#define BATCHD_PROCESSORS_MEDIA_FACTS_H

#include <jansson.h>

struct reader;

/* {container, title, duration_us, frames, video, audio (those that players take; null: none),
 * streams, chapters}, as batchd-result(7) says; after reader_run. Owned by the caller. */
json_t *facts_media(const struct reader *reader);

#endif
