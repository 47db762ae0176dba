/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The proof of a chunk: its file is read from its beginning to its end, and the pictures that come
 * of it are those that were encoded, no more and no less, each at its time. */
#ifndef BATCHD_PROCESSORS_MEDIA_CHUNK_CHECK_H
#define BATCHD_PROCESSORS_MEDIA_CHUNK_CHECK_H

#include "common/error.h"
#include "processors/media/encoder.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane;

/* What was encoded; all is borrowed. */
struct chunk_written {
    const char *path;
    const int64_t *times; /* of its frames, rising, in the settings' time base */
    size_t count;         /* at least 1 */
    const struct encoder_settings *settings;
};

/* Decodes all frames; or the first CHUNK_CHECK_FRAMES of them, where each packet has one frame: of
 * the rest the packets are read. *ret_decoded: so many were decoded. ERROR_INTERNAL: it is not what
 * was encoded, which is a bug, or a disk or memory that lies. The lane is asked for its turn. */
int chunk_check(const struct chunk_written *written, bool all, struct lane *lane,
                size_t *ret_decoded, struct error *err);

/* A second of most films. To decode a frame of H.264 takes a tenth of what its encoding takes by
 * the preset veryfast. */
#define CHUNK_CHECK_FRAMES 25

/* Whether all frames are decoded: `verify` is "all", "start" or "auto", by which H.264 of libx264
 * alone is not. A fault of an encoder shows in its first pictures; those of drivers are not to be
 * relied on, and to the others, which are slow, the check is nothing. */
bool chunk_check_all(const char *verify, const struct encoder_settings *settings);

#endif
