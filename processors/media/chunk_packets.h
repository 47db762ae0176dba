/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The packets of a row of chunk files, one after the other, with all their times. */
#ifndef BATCHD_PROCESSORS_MEDIA_CHUNK_PACKETS_H
#define BATCHD_PROCESSORS_MEDIA_CHUNK_PACKETS_H

#include "common/error.h"

#include <libavformat/avformat.h>

struct chunk_packets;

/* Reads all of them once for their times: *ret is released by chunk_packets_close in any case. The
 * paths are borrowed for as long. `last_duration` is in `base`. ERROR_INTERNAL: they do not fit
 * together. */
int chunk_packets_open(const char *const *paths, size_t count, AVRational base,
                       int64_t last_duration, struct chunk_packets **ret, struct error *err);
void chunk_packets_close(struct chunk_packets *packets);

/* Of the stream as a whole; borrowed. */
const AVStream *chunk_packets_stream(const struct chunk_packets *packets);
size_t chunk_packets_count(const struct chunk_packets *packets);
/* The next one: pts, dts and duration are set, in chunk_packets_stream's time base; borrowed until
 * the next call. NULL in *ret behind the last. */
int chunk_packets_next(struct chunk_packets *packets, AVPacket **ret, struct error *err);
/* The times of all, rising, as many as chunk_packets_count; the caller's, and the end of this. */
int64_t *chunk_packets_take_times(struct chunk_packets *packets);
/* The time of decoding of the one that comes next; INT64_MAX behind the last. */
int64_t chunk_packets_peek(const struct chunk_packets *packets);

#endif
