/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The sound of a file, encoded as a whole: cut into chunks AAC would click at the seams. */
#ifndef BATCHD_PROCESSORS_MEDIA_SOUND_H
#define BATCHD_PROCESSORS_MEDIA_SOUND_H

#include "common/error.h"

#include <jansson.h>
#include <libavutil/rational.h>
#include <stdint.h>

struct lane;

/* So many seconds are added to the times in the file that sound_make writes: an encoder's first
 * packet lies before the first sample, and that container has no times before 0. */
#define SOUND_LEAD_SECONDS 1

/* All is borrowed. */
struct sound_recipe {
    const char *source; /* path of the input */
    int stream;         /* number of it there */
    int64_t offset;     /* subtracted from the sound's times */
    AVRational offset_base;
    const char *container;
};

/* Decodes and encodes it to a file of its own at `path`, decoded again before it counts, and
 * synced; takes turns on `lane`. *ret_facts {packets, samples (with those that are trimmed), bytes,
 * sha256}, owned by the caller.
 */
int sound_make(const struct sound_recipe *recipe, const char *path, struct lane *lane,
               json_t **ret_facts, struct error *err);

#endif
