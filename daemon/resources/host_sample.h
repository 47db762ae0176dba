/* What the kernel says of the machine at one moment: processors, load, memory, pressure,
 * batteries. It is read
 * from ROOT/proc and ROOT/sys, so that a folder of files can stand for a machine. What cannot be
 * read or is no number is unknown, which is no error: kernels and containers leave much of it out.
 */
#ifndef BATCHD_DAEMON_RESOURCES_HOST_SAMPLE_H
#define BATCHD_DAEMON_RESOURCES_HOST_SAMPLE_H

#include "daemon/resources/power.h"

#include <stdbool.h>
#include <stdint.h>

/* Of /proc/stat, proc(5), in its order. `guest` is within user and is not counted again. */
enum cpu_class {
    CPU_USER,
    CPU_NICE,
    CPU_SYSTEM,
    CPU_IDLE,
    CPU_IOWAIT,
    CPU_IRQ,
    CPU_SOFTIRQ,
    CPU_STEAL,
    CPU_CLASS_COUNT
};

/* PSI, Documentation/accounting/psi.rst of Linux. */
enum pressure_kind { PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, PRESSURE_KIND_COUNT };

/* Percent of the last 10 seconds in which some tasks waited, or all of them did. */
struct pressure {
    bool known;
    double some, full;
};

struct host_sample {
    int64_t taken_at; /* wall */
    bool cpu_known;
    uint64_t cpu[CPU_CLASS_COUNT]; /* ticks since boot, of all processors together */
    bool load_known;
    double load[3]; /* of 1, 5 and 15 minutes */
    bool memory_known;
    uint64_t memory_total_bytes, memory_available_bytes; /* with what the cache of ZFS gives */
    uint64_t memory_huge_bytes; /* of it set aside for huge pages, used or not: never available */
    uint64_t swap_total_bytes, swap_free_bytes;
    struct pressure pressure[PRESSURE_KIND_COUNT];
    struct power power;
};

extern const char *const cpu_class_words[CPU_CLASS_COUNT];         /* "user" */
extern const char *const pressure_kind_words[PRESSURE_KIND_COUNT]; /* "cpu" */

/* `root` is "" or a folder. */
void host_sample_take(const char *root, struct host_sample *ret);

/* Parts (0..1) of the time between two samples, by class. False: nothing passed, or one of them
 * does not know, or a counter went back (a container that moved). */
bool host_sample_shares(const struct host_sample *from, const struct host_sample *to,
                        double ret_shares[static CPU_CLASS_COUNT]);
/* Of these parts those in which processors worked, never below 0, as one less the others may be. */
double host_sample_busy(const double shares[static CPU_CLASS_COUNT]);

#endif
