#include "daemon/notices.h"

#include "common/alloc.h"
#include "common/clock.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>

struct notices {
    size_t running, waiting; /* as last told */
    uint64_t watchdog_us;    /* 0: none asked for */
    int64_t watchdog_next;   /* monotonic */
};

struct notices *notices_new(void)
{
    struct notices *notices = xcalloc(1, sizeof(*notices));
    if (sd_watchdog_enabled(1, &notices->watchdog_us) <= 0)
        notices->watchdog_us = 0;
    return notices;
}

void notices_free(struct notices *notices)
{
    free(notices);
}

static void tell_status(struct notices *notices, const struct jobset *jobs, const char *before)
{
    size_t running = jobset_count(jobs, JOB_STATE_RUNNING) +
                     jobset_count(jobs, JOB_STATE_STARTING) +
                     jobset_count(jobs, JOB_STATE_SUSPENDED);
    size_t waiting = jobset_count(jobs, JOB_STATE_PENDING);
    if (before[0] == '\0' && running == notices->running && waiting == notices->waiting)
        return;
    (void)sd_notifyf(0, "%sSTATUS=%zu running, %zu waiting", before, running, waiting);
    notices->running = running;
    notices->waiting = waiting;
}

void notices_ready(struct notices *notices, const struct jobset *jobs)
{
    tell_status(notices, jobs, "READY=1\n");
}

void notices_status(struct notices *notices, const struct jobset *jobs)
{
    tell_status(notices, jobs, "");
}

void notices_alive(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

void notices_feed_watchdog(struct notices *notices)
{
    int64_t now = clock_monotonic_us();
    if (notices->watchdog_us == 0 || now < notices->watchdog_next)
        return;
    notices_alive();
    notices->watchdog_next = now + (int64_t)(notices->watchdog_us / 3);
}

void notices_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void notices_full_disk(void)
{
    (void)sd_notify(0, "STATUS=the disk is full: waiting for room");
}
