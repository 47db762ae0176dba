/* Where a job writes a declared output while it runs: beside the place where it goes, so that a
 * rename puts it there, and with the same ending, by which many programs choose their format. */
#ifndef BATCHD_COMMON_STAGED_PATH_H
#define BATCHD_COMMON_STAGED_PATH_H

#include "common/worker_protocol.h"

/* In an output of an array, what stands for the task's index. */
#define STAGED_INDEX "%a"

/* FOLDER/.batchd-ID[_INDEX]-ATTEMPT-NUMBER.NAME, of output number 1, 2, ... of the attempt. `path`
 * has a last part that is a name. The caller frees. */
char *staged_path(const char *path, const struct attempt_id *id, unsigned number);

/* Whether the last part of it can name an output: "", "." and ".." cannot. */
bool staged_path_possible(const char *path);

#endif
