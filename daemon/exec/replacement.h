/* How soon what died is made anew: at once the first time, then after a pause that doubles from one
 * second to a minute, until one of them has done well. Time is an argument, monotonic microseconds
 * but for what is shown. */
#ifndef BATCHD_DAEMON_EXEC_REPLACEMENT_H
#define BATCHD_DAEMON_EXEC_REPLACEMENT_H

#include <stdbool.h>
#include <stdint.h>

struct replacement {
    uint64_t deaths;
    int64_t last_at; /* wall clock, for people; 0: none has died */
    char last[200];  /* which, and how */
    unsigned row;    /* early deaths since one has done well */
    int64_t row_at;  /* the last of them */
    int64_t next_at; /* none is made before */
};

/* One that was made at `made_at` is dead. `early`: it did nothing well, and not for want of time.
 * Those that were made together count as one. */
void replacement_died(struct replacement *replacement, int64_t made_at, bool early, int64_t now);
void replacement_well(struct replacement *replacement);
/* Whether one may be made now. In a row of early deaths only one is tried at a time: `coming` is
 * how many there are to come. */
bool replacement_may(const struct replacement *replacement, uint64_t coming, int64_t now);

#endif
