/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a file is joined of, and what was written of it. */
#ifndef BATCHD_PROCESSORS_MEDIA_JOIN_PARTS_H
#define BATCHD_PROCESSORS_MEDIA_JOIN_PARTS_H

#include <libavformat/avformat.h>
#include <stdbool.h>

struct colour;
struct reader;
struct subtitle_losses;
struct tracks;

/* All is borrowed. */
struct join_parts {
    const char *const *chunks; /* paths, in order */
    size_t chunk_count;
    int64_t last_duration; /* of the last frame, in source_base */
    AVRational source_base;
    const struct reader *source; /* of it the output has tags and, if kept, the display matrix */
    const char *source_path;
    AVRational rate;             /* that the file says */
    const struct colour *colour; /* that it tells */
    bool keep_matrix, keep_tags;
    /* Each frame has the duration up to the next one; else the last is as long as the one before.
     */
    bool one_to_one;
    /* What is carried over of the source beside its picture; those that are encoded are in files of
     * their own (sound.h), in their order. */
    const struct tracks *tracks;
    const char *const *encoded;
    int64_t offset; /* subtracted from the source's times, in source_base */
    const char *container;
};

/* What was written, to be compared with what is read again. */
struct join_written {
    int64_t frames;
    int64_t *times;   /* of the frames, rising, in time_base; owned by the caller, as is the next */
    int64_t *packets; /* of each track, in the order of tracks; cues that say something */
    struct subtitle_losses *losses; /* of each track; owned, too */
    uint32_t *sums;                 /* of each track of sound (packet_sum.h); owned, too */
    bool sound;
    AVRational time_base;
};

#endif
