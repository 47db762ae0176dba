/* The machine's GPUs as batchd-gpu tells of them: asked every few seconds, in a process of its own,
 * because a driver's library may hang or crash. One that does not answer in time is ended and made
 * anew, after a pause that doubles; the log has that once. While it hangs beyond all signals none
 * is made beside it. */
#ifndef BATCHD_DAEMON_EXEC_GPU_WATCH_H
#define BATCHD_DAEMON_EXEC_GPU_WATCH_H

#include "common/gpu_report.h"

struct event_base;
struct gpu_watch;

/* All borrowed for life. */
struct gpu_watch_options {
    const char *program; /* batchd-gpu, our child */
    const char *socket;  /* or (program NULL) where systemd starts one for who connects */
    const char *root, *library, *state;
    uint64_t interval_ms, deadline_ms;
};

/* It begins at once, and the first report comes later. */
struct gpu_watch *gpu_watch_new(struct event_base *base, const struct gpu_watch_options *options);
void gpu_watch_free(struct gpu_watch *watch); /* NULL is allowed, as below */

/* The newest report; NULL: there was none so far. Borrowed. */
const struct gpu_report *gpu_watch_report(const struct gpu_watch *watch);
/* Why it is not up to date: batchd-gpu ended, or does not answer. NULL: it is. */
const char *gpu_watch_trouble(const struct gpu_watch *watch);
/* Another number after each report and whenever trouble begins or ends. */
uint64_t gpu_watch_serial(const struct gpu_watch *watch);

#endif
