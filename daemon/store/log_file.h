/* The write-ahead log beside a store, read before SQLite reads it. SQLite takes the log of any
 * database whose sums are right: it does not know whose it is. */
#ifndef BATCHD_DAEMON_STORE_LOG_FILE_H
#define BATCHD_DAEMON_STORE_LOG_FILE_H

#include "common/error.h"

#include <stdint.h>

/* Whether the log at `path` belongs to the store with `stamp` (stamp.h). No log, and one without a
 * whole commit, from which SQLite takes nothing, do. 0; -1 with ERROR_DAMAGED when it does not, or
 * ERROR_IO. */
int log_file_check(const char *path, uint32_t stamp, struct error *err);

#endif
