/* The output of a processor: written to `.NAME.batchd-JOB-ATTEMPT.part` beside the target, synced,
 * then renamed, so that the target is absent, or what it was before, or complete. One output per
 * process at a time, which the signal handler can remove.
 *
 * SIGTERM, SIGINT and SIGHUP remove the staging file and end the process with 75. */
#ifndef BATCHD_PROCESSORS_LIB_STAGING_H
#define BATCHD_PROCESSORS_LIB_STAGING_H

#include "common/error.h"

#include <stdbool.h>

struct request;

void staging_catch_signals(void);

/* Makes the empty staging file for the absolute `path` of the target, and removes what earlier
 * attempts of the same job left. Returns its path, borrowed until commit or discard. NULL with
 * ERROR_CONFLICT: the folder is missing or closed to us, or the target is there and no regular
 * file. */
const char *staging_open(const struct request *request, const char *path, struct error *err);

/* Whether an earlier attempt of the same job left something of this target, asked while no staging
 * file is open: it was ended while it wrote it, by nothing that it could answer (a crash of its
 * own, SIGKILL, the machine's end). */
bool staging_is_left(const struct request *request, const char *path);

/* fsync, rename, fsync of the folder. 0 or -1 with ERROR_IO; then nothing is left behind. */
int staging_commit(struct error *err);

/* Removes the staging file if there is one. */
void staging_discard(void);

#endif
