/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Chunks and sound to one file, without encoding: each frame keeps its time, and the times of
 * decoding are made anew from all of them (sorted, shifted by the depth of reordering), so that
 * there is no seam. */
#ifndef BATCHD_PROCESSORS_MEDIA_JOIN_H
#define BATCHD_PROCESSORS_MEDIA_JOIN_H

#include "common/error.h"

#include <libavformat/avformat.h>
#include <stdbool.h>

struct reader;

/* All is borrowed. */
struct join_parts {
    const char *const *chunks; /* paths, in order */
    size_t chunk_count;
    int64_t last_duration; /* of the last frame, in source_base */
    AVRational source_base;
    const struct reader *source; /* of it the output has tags and, if kept, the display matrix */
    AVRational rate;             /* that the file says */
    bool keep_matrix;
    /* Each frame has the duration up to the next one; else the last is as long as the one before.
     */
    bool one_to_one;
    /* The file whose packets of sound are taken, and what to subtract from their times; NULL: no
     * sound. Their codec is one that the container takes. */
    const char *sound;
    int64_t sound_offset;
    AVRational sound_offset_base;
    const char *container;
};

/* What was written, to be compared with what is read again. */
struct join_written {
    int64_t frames, sound_packets;
    int64_t *times; /* of the frames, rising, in time_base; owned by the caller */
    AVRational time_base;
};

int join_write(const struct join_parts *parts, const char *path, struct join_written *ret,
               struct error *err);

/* Whether these are the times of the frames, in the order of showing, within what the other time
 * base can tell; all as much later where the container has no times below 0. As many as
 * written->frames. 0, or -1 with ERROR_INTERNAL. */
int join_compare(const struct join_written *written, AVRational time_base, const int64_t *times,
                 struct error *err);

#endif
