/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the headers of a file say of its streams and chapters, for a result: as many as it has room
 * for (a line of a result is at most 64 KiB). */
#ifndef BATCHD_PROCESSORS_MEDIA_STREAM_FACTS_H
#define BATCHD_PROCESSORS_MEDIA_STREAM_FACTS_H

#include <jansson.h>
#include <libavformat/avformat.h>

/* streams: [{index, type, codec, language, title, default, forced, and of sound sample_rate,
 * channels, layout, of pictures width, height, cover, of attachments filename, bytes}], chapters:
 * [{start_us, end_us, title}], streams_left_out and chapters_left_out where there were more. */
void stream_facts_put(json_t *media, const AVFormatContext *format);
/* A tag of a file as text that is not too long; null when there is none. The caller's. */
json_t *stream_facts_text(AVDictionary *tags, const char *name);

#endif
