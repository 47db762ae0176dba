/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Chunks, sound, subtitles and what a file says of itself to one file, without encoding: each frame
 * keeps its time, and the times of decoding are made anew from all of them (sorted, shifted by the
 * depth of reordering), so that there is no seam. */
#ifndef BATCHD_PROCESSORS_MEDIA_JOIN_H
#define BATCHD_PROCESSORS_MEDIA_JOIN_H

#include "common/error.h"
#include "processors/media/join_parts.h"

int join_write(const struct join_parts *parts, const char *path, struct join_written *ret,
               struct error *err);
void join_written_done(struct join_written *written);

/* Whether these are the times of the frames, in the order of showing, within what the other time
 * base can tell; all as much later where the container has no times below 0. As many as
 * written->frames. 0, or -1 with ERROR_INTERNAL. */
int join_compare(const struct join_written *written, AVRational time_base, const int64_t *times,
                 struct error *err);

#endif
