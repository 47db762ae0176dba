/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Both videos read whole, compared pair by pair, and what it came to. Each is decoded in a thread
 * of its own; the calling thread compares, with the filters' own threads beside it. */
#ifndef BATCHD_PROCESSORS_QUALITY_MEASUREMENT_H
#define BATCHD_PROCESSORS_QUALITY_MEASUREMENT_H

#include "processors/quality/pairing.h"
#include "processors/quality/shift.h"
#include "processors/quality/table.h"

struct measurement {
    const struct options *options; /* borrowed */
    struct side sides[SIDE_COUNT];
    struct pairing pairing;
    struct shift shift;
    struct comparison comparison;
    struct scores scores;
    struct table table;
};

/* *measurement must be zeroed but for options and table, and not be moved; measurement_done in any
 * case. `paths` and `threads` are for each side. -1 with err: a file is not whole, or they do not
 * lie against each other. */
int measurement_run(struct measurement *measurement, const char *const paths[SIDE_COUNT],
                    unsigned cpus, struct error *err);
void measurement_done(struct measurement *measurement);

#endif
