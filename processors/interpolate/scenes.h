/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How often the scene changes, by the measure that minterpolate has: between such two frames it
 * puts copies of them, nothing in between. */
#ifndef BATCHD_PROCESSORS_INTERPOLATE_SCENES_H
#define BATCHD_PROCESSORS_INTERPOLATE_SCENES_H

#include "common/error.h"

#include <stdint.h>

/* Decodes the video at `path`, which takes about a hundredth of the time that motion does. -1 with
 * ERROR_DAMAGED when it is not whole. */
int scenes_count(const char *path, unsigned cpus, int64_t *ret_cuts, struct error *err);

#endif
