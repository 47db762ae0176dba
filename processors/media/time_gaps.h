/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Pictures that are shown for very long, as where a recording was cut together: not every output
 * can have them, and filling them with copies may have no end. Told before any work is done. */
#ifndef BATCHD_PROCESSORS_MEDIA_TIME_GAPS_H
#define BATCHD_PROCESSORS_MEDIA_TIME_GAPS_H

#include "common/error.h"

#include <libavutil/rational.h>
#include <stdbool.h>

struct packet_index;

/* So much of a gap is filled at most, with pictures or with silence: a day. */
#define TIME_GAPS_FILLED_SECONDS 86400

/* filled: at a constant rate, else each picture keeps its time in `container` (libavformat's name).
 * `base` is that of the index. 0, or -1: ERROR_DAMAGED, ERROR_INVALID. */
int time_gaps_check(const struct packet_index *index, AVRational base, bool filled,
                    const char *container, struct error *err);

#endif
