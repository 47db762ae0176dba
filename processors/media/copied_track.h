/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A stream whose packets are handed on as they are, with times that rise. */
#ifndef BATCHD_PROCESSORS_MEDIA_COPIED_TRACK_H
#define BATCHD_PROCESSORS_MEDIA_COPIED_TRACK_H

#include "common/error.h"

#include <libavformat/avformat.h>

struct output;

struct copied_track {
    struct output *output; /* borrowed */
    const AVStream *from;  /* borrowed */
    AVStream *to;          /* borrowed from output */
    int64_t offset;        /* subtracted from the times, in from->time_base */
    int64_t packets;
    uint32_t sum;                   /* of the packets (packet_sum.h) */
    int64_t last_duration;          /* of the packet before */
    int64_t next_dts, next_dts_min; /* expected, least; as in the input */
};

/* Adds the stream to the output. *ret must be zeroed. */
int copied_track_open(const AVStream *from, struct output *output, struct copied_track *ret,
                      struct error *err);
int copied_track_packet(struct copied_track *track, AVPacket *packet, struct error *err);

#endif
