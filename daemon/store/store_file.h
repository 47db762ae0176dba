/* The files of a store, looked at before SQLite opens them: what is not ours is left as it is. */
#ifndef BATCHD_DAEMON_STORE_STORE_FILE_H
#define BATCHD_DAEMON_STORE_STORE_FILE_H

#include "common/error.h"

#include <stdint.h>

/* Whether the file at `path` may be opened with the log beside it, or made: it is ours or not
 * there, and the log, if there is one, belongs to it. *ret_stamp is what its header says without
 * the log (stamp.h), 0 when it is to be made. 0; -1 with ERROR_DAMAGED or ERROR_IO. */
int store_file_check(const char *path, uint32_t *ret_stamp, struct error *err);

#endif
