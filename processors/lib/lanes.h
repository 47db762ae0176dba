/* Units of work on several threads: each lane takes the next unit until none is left or one failed.
 * A unit that cannot be cut and takes long (a film's whole sound) has a thread of its own, beside
 * the lanes: all take turns, so that no more than was asked for are at work at once, and all of
 * them end at about the same time. Progress is summed up over them. */
#ifndef BATCHD_PROCESSORS_LIB_LANES_H
#define BATCHD_PROCESSORS_LIB_LANES_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

/* One thread, as its units see it. */
struct lane;

/* What is to be done. `total` is in the same unit as lane_advance counts (frames); `done` of it
 * were done by an earlier run; from..to is the part of the job that it is (0..1). */
struct lanes_work {
    unsigned threads; /* at work at once; at least 1 */
    const unsigned *units;
    size_t count;
    size_t long_count; /* the first so many have a thread of their own */
    int (*make)(void *arg, struct lane *lane, unsigned unit, struct error *err); /* on a lane */
    void *arg;
    double total, done, from, to;
};

/* 0 when all are made, -1 with the error of the one that failed first, after all lanes have ended.
 */
int lanes_run(const struct lanes_work *work, struct error *err);

/* Called by units, every few milliseconds of work: so much more is done. Returns when it is this
 * lane's turn again. -1: another unit failed, end soon (ERROR_DRAINING in err). */
int lane_advance(struct lane *lane, double amount, struct error *err);

#endif
