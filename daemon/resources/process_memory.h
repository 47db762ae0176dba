/* How much memory a job has of its own: what is not shared with a file. From ROOT/proc and
 * ROOT/sys, as host_sample.h. */
#ifndef BATCHD_DAEMON_RESOURCES_PROCESS_MEMORY_H
#define BATCHD_DAEMON_RESOURCES_PROCESS_MEMORY_H

#include <stdint.h>

enum memory_seen {
    MEMORY_HIDDEN, /* it cannot be told: *ret is 0 */
    MEMORY_PART,   /* there was more to be looked at */
    MEMORY_ALL
};

/* Bytes of all that descend from `pid`, which is not counted itself: pages that resident says and
 * shared does not (proc(5), statm); what several have in common since a fork counts for each.
 * *looks is what may still be looked at, in files (some 5 us each), and becomes less. */
enum memory_seen process_memory_below(const char *root, uint32_t pid, uint32_t *looks,
                                      uint64_t *ret_bytes);
/* Of the control group that the job of this worker has below batchd-jobs.service (worker/cgroup.c),
 * where there is one beside our own: anonymous memory and that of file systems in memory. There
 * processes are hidden from us (ProtectProc=). */
enum memory_seen process_memory_of_group(const char *root, uint64_t worker, uint64_t *ret_bytes);

#endif
