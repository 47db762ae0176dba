/* Whether the machine runs on its batteries, and how full they are: from
 * ROOT/sys/class/power_supply (Documentation/ABI/testing/sysfs-class-power of Linux), as
 * host_sample.h. */
#ifndef BATCHD_DAEMON_RESOURCES_POWER_H
#define BATCHD_DAEMON_RESOURCES_POWER_H

#include <stdbool.h>

struct power {
    bool known;      /* it has a battery of its own: not that of a mouse */
    bool on_battery; /* one of them is being discharged, and nothing else supplies it */
    double percent;  /* their charge; of several the mean */
};

/* From the files below `root` ("": the machine's own). */
void power_take(const char *root, struct power *ret);

#endif
