/* The machine as it is now: a sample (host_sample.h) every few seconds, on a timer of its own. */
#ifndef BATCHD_DAEMON_RESOURCES_MONITOR_H
#define BATCHD_DAEMON_RESOURCES_MONITOR_H

#include "daemon/resources/host_sample.h"

struct event_base;
struct monitor;

/* The first sample is taken at once. `root` as host_sample_take's, borrowed; an interval of 0: none
 * follows. */
struct monitor *monitor_new(struct event_base *base, const char *root, uint64_t interval_ms);
void monitor_free(struct monitor *monitor); /* NULL is allowed */

/* As it was given. */
const char *monitor_root(const struct monitor *monitor);

/* The newest one; borrowed. */
const struct host_sample *monitor_latest(const struct monitor *monitor);
/* How the processors' time since the one before was spent, as host_sample_shares. */
bool monitor_cpu_shares(const struct monitor *monitor, double ret_shares[static CPU_CLASS_COUNT]);

#endif
