/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A sum of a track's packets, to know them again where they were copied to. How much of their sound
 * is trimmed is not in it: each container has its own way to say so. */
#ifndef BATCHD_PROCESSORS_MEDIA_PACKET_SUM_H
#define BATCHD_PROCESSORS_MEDIA_PACKET_SUM_H

#include <stdbool.h>
#include <stdint.h>

struct AVCodecParameters;
struct AVPacket;

/* To begin with: Adler-32 of what a decoder is told of the track. */
uint32_t packet_sum_headers(const struct AVCodecParameters *is);
/* Of what `sum` is of, and this one's size, whether it is cut off, and its data behind it: the same
 * bytes cut in other places are not the same packets. */
uint32_t packet_sum(uint32_t sum, const struct AVPacket *packet);

/* Samples at both ends of it that are not to be heard: an encoder's lead, what fills the last
 * packet. Where the first packet of a stream of Opus says nothing of it, its decoder leaves out
 * what the headers say. */
int64_t packet_trimmed(const struct AVCodecParameters *is, bool first,
                       const struct AVPacket *packet);

#endif
