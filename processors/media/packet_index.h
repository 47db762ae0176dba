/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The times of a video's packets, from reading the file once without decoding (0.06 s for 30 s of
 * 480p): what the cutting into chunks is planned by. The reading also proves that the container is
 * whole. */
#ifndef BATCHD_PROCESSORS_MEDIA_PACKET_INDEX_H
#define BATCHD_PROCESSORS_MEDIA_PACKET_INDEX_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct AVStream;
struct reader;

struct packet_index {
    int64_t
        *times; /* of the video's packets, rising, each once; in the stream's time base; owned */
    int64_t *
        seeks; /* for each key where to seek: its time of decoding, by which MPEG-TS seeks; owned */
    int64_t *keys;  /* of those that decoding can begin at; owned */
    int64_t *bytes; /* of the packets up to each, in the order of the file; owned */
    size_t count, key_count, bytes_count;
    int64_t packets;       /* before those with the same time were taken together */
    int64_t last_duration; /* of the last one; 0: the file does not tell */
    bool timed;            /* every packet has a time: the file can be cut */
    bool each_shows; /* a frame comes of each packet: VP8 and VP9 have packets that show nothing */
    /* Of each stream that was read, by its number; cues without text are left out, with which MP4
     * fills the time in between; owned. */
    int64_t *stream_packets;
    uint32_t *stream_sums;   /* of each stream's headers and these packets (packet_sum.h); owned */
    int64_t *stream_trimmed; /* of each stream, samples of these packets; owned */
    unsigned stream_count;
};

/* Reads all of a reader that was just opened. *ret must be zeroed; packet_index_done in any case.
 * -1 with ERROR_DAMAGED when the container is not whole. */
int packet_index_read(struct reader *reader, struct packet_index *ret, struct error *err);
void packet_index_done(struct packet_index *index);

/* Packets of that stream; 0 where it was not read. */
int64_t packet_index_packets(const struct packet_index *index, const struct AVStream *stream);

/* How many times lie before `time`. */
size_t packet_index_before(const struct packet_index *index, int64_t time);
/* The part (0..1) of the video's bytes that lies before the frame of that number, as nearly as the
 * order of decoding tells. */
double packet_index_bytes_before(const struct packet_index *index, size_t frame);
/* The last key packet at or before `time`, `back` more keys before it; AV_NOPTS_VALUE: the file's
 * beginning. */
int64_t packet_index_key(const struct packet_index *index, int64_t time, size_t back);
/* Where to seek for that key. */
int64_t packet_index_seek(const struct packet_index *index, int64_t key);
/* From the frame at `time` to the next one, else what the file says of the last. */
int64_t packet_index_duration(const struct packet_index *index, int64_t time);

#endif
