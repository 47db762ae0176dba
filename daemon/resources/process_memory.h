/* How much memory the processes below one have of their own: what is not shared with a file (pages
 * that resident says and shared does not, proc(5) statm). What several have in common since a fork
 * counts for each. From ROOT/proc, as host_sample.h; what cannot be read counts as nothing. */
#ifndef BATCHD_DAEMON_RESOURCES_PROCESS_MEMORY_H
#define BATCHD_DAEMON_RESOURCES_PROCESS_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes of all that descend from `pid`, which is not counted itself. *looks is what may still be
 * looked at, in files (some 5 us each), and becomes less. False: that was not enough; then *ret is
 * what was seen so far. */
bool process_memory_below(const char *root, uint32_t pid, uint32_t *looks, uint64_t *ret_bytes);

#endif
