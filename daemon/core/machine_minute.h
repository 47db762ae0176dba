/* What the machine was like in a minute: the mean and the highest of the figures that the monitor
 * saw. Pure. */
#ifndef BATCHD_DAEMON_CORE_MACHINE_MINUTE_H
#define BATCHD_DAEMON_CORE_MACHINE_MINUTE_H

#include <stdint.h>

enum machine_figure {
    MACHINE_CPU,          /* part of the processors' time that was used */
    MACHINE_LOAD,         /* load average of a minute */
    MACHINE_MEMORY,       /* part of the memory that was not available */
    MACHINE_SWAP,         /* part of the swap that was used */
    MACHINE_PRESSURE_CPU, /* part of the time in which some task waited for it, as the next */
    MACHINE_PRESSURE_MEMORY,
    MACHINE_PRESSURE_IO,
    MACHINE_CPU_USER, /* part of the processors' time by class, in the order of proc(5) */
    MACHINE_CPU_NICE,
    MACHINE_CPU_SYSTEM,
    MACHINE_CPU_IDLE,
    MACHINE_CPU_IOWAIT,
    MACHINE_CPU_IRQ,
    MACHINE_CPU_SOFTIRQ,
    MACHINE_CPU_STEAL,
    MACHINE_FIGURE_COUNT
};
extern const char *const machine_figure_words[MACHINE_FIGURE_COUNT];

/* Thousandths, so that what is stored is exact. */
struct machine_sums {
    int64_t count, sum, highest; /* count 0: it was never known */
};

struct machine_minute {
    int64_t minute;  /* since the epoch */
    int64_t samples; /* 0: none yet */
    struct machine_sums figures[MACHINE_FIGURE_COUNT];
};

/* value < 0: unknown. */
void machine_minute_add(struct machine_minute *minute, enum machine_figure figure, double value);

#endif
