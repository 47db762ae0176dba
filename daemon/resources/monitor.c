#include "daemon/resources/monitor.h"

#include "common/alloc.h"
#include "common/timers.h"

#include <stdlib.h>

struct monitor {
    const char *root;
    uint64_t interval_ms;
    struct timer *timer;
    struct host_sample before, latest;
};

static void take(void *arg)
{
    struct monitor *monitor = arg;
    monitor->before = monitor->latest;
    host_sample_take(monitor->root, &monitor->latest);
    if (monitor->interval_ms > 0)
        timer_set(monitor->timer, monitor->interval_ms);
}

struct monitor *monitor_new(struct event_base *base, const char *root, uint64_t interval_ms)
{
    struct monitor *monitor = xcalloc(1, sizeof(*monitor));
    *monitor = (struct monitor){.root = root, .interval_ms = interval_ms};
    monitor->timer = timer_new(base, take, monitor);
    take(monitor);
    return monitor;
}

void monitor_free(struct monitor *monitor)
{
    if (monitor == NULL)
        return;
    timer_free(monitor->timer);
    free(monitor);
}

const char *monitor_root(const struct monitor *monitor)
{
    return monitor->root;
}

const struct host_sample *monitor_latest(const struct monitor *monitor)
{
    return &monitor->latest;
}

bool monitor_cpu_shares(const struct monitor *monitor, double ret_shares[static CPU_CLASS_COUNT])
{
    return host_sample_shares(&monitor->before, &monitor->latest, ret_shares);
}
