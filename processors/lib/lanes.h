/* Units of work on several threads: each lane takes the next unit until none is left or one failed.
 * Progress is summed up over them. */
#ifndef BATCHD_PROCESSORS_LIB_LANES_H
#define BATCHD_PROCESSORS_LIB_LANES_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

struct lanes;

/* What is to be done. `total` is in the same unit as lanes_advance counts (frames); `done` of it
 * were done by an earlier run; from..to is the part of the job that it is (0..1). */
struct lanes_work {
    unsigned threads; /* at least 1; no more than there are units are made */
    const unsigned *units;
    size_t count;
    int (*make)(void *arg, struct lanes *lanes, unsigned unit, struct error *err); /* on a lane */
    void *arg;
    double total, done, from, to;
};

/* 0 when all are made, -1 with the error of the one that failed first, after all lanes have ended.
 */
int lanes_run(const struct lanes_work *work, struct error *err);

/* Called by units: so much more is done. -1: another unit failed, end soon (ERROR_DRAINING in err).
 */
int lanes_advance(struct lanes *lanes, double amount, struct error *err);

#endif
