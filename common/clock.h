/* The clocks. Wall time is integer microseconds since the epoch (names end in _at); durations
 * are measured on the monotonic clock and never on the wall. Only edges call these: the core is
 * given the time as an argument. */
#ifndef BATCHD_COMMON_CLOCK_H
#define BATCHD_COMMON_CLOCK_H

#include <stdint.h>

#define US_PER_MS INT64_C(1000)
#define US_PER_SECOND INT64_C(1000000)

int64_t clock_wall_us(void);
int64_t clock_monotonic_us(void); /* CLOCK_BOOTTIME: goes on over suspend, never jumps */
/* CLOCK_MONOTONIC: as that, but stands while the machine is suspended: what a job's time is
 * measured by. */
int64_t clock_running_us(void);
/* CLOCK_THREAD_CPUTIME_ID: what this thread has used of a processor. */
int64_t clock_thread_us(void);
/* CLOCK_REALTIME_COARSE: what the kernel stamps files by. It is behind clock_wall_us by a tick, and
 * by several (12 ms of ticks of 4 seen) where the machine's own processors wait for their turn: a
 * file that is changed from now on is never stamped earlier than this. */
int64_t clock_file_us(void);

#endif
