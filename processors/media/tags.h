/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a file says of itself and goes with its content: titles, languages, what a track is for,
 * chapters. What tells of the container or the encoder it had is left behind. */
#ifndef BATCHD_PROCESSORS_MEDIA_TAGS_H
#define BATCHD_PROCESSORS_MEDIA_TAGS_H

#include <libavformat/avformat.h>
#include <stdint.h>

/* Language, title, what it is for (default, forced, comment ...). MP4 and MOV have no title of a
 * track: there it is the handler's name, as players show it. */
void tags_copy_track(const AVStream *from, AVStream *to, const char *container);
/* File name and media type of an attachment; a cover that has none gets those by which it is known
 * in Matroska. */
void tags_copy_attachment(const AVStream *from, AVStream *to);
/* Title, artist, date and all others of the file. */
void tags_copy_file(const AVFormatContext *from, AVFormatContext *to);
/* As many microseconds earlier; those that are over by then are left out. */
void tags_copy_chapters(const AVFormatContext *from, AVFormatContext *to, int64_t offset_us);

#endif
