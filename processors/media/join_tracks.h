/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a joined file has beside its picture: sound, subtitles and attachments, from the source and
 * from the files of what was encoded, packet by packet in the order of their times. */
#ifndef BATCHD_PROCESSORS_MEDIA_JOIN_TRACKS_H
#define BATCHD_PROCESSORS_MEDIA_JOIN_TRACKS_H

#include "common/error.h"
#include "processors/media/join_parts.h"

struct join_tracks;
struct output;

/* Adds their streams to the output. *ret is released by join_tracks_close in any case. */
int join_tracks_open(const struct join_parts *parts, struct output *output,
                     struct join_tracks **ret, struct error *err);
void join_tracks_close(struct join_tracks *tracks);

/* When the next packet is decoded; false behind the last. */
bool join_tracks_peek(const struct join_tracks *tracks, int64_t *ret_time, AVRational *ret_base);
/* Writes that one. */
int join_tracks_write(struct join_tracks *tracks, struct error *err);
/* Behind the last: what was held back, and the counts. */
int join_tracks_finish(struct join_tracks *tracks, struct join_written *written, struct error *err);

#endif
