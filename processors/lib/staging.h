/* The output of a processor: written to a hidden folder beside it, synced, then renamed, so that
 * the target is absent, or what it was before, or complete. That folder is all that the sandbox
 * lets it write in; the publisher (publisher.h) does the rest. One output per process at a time,
 * which the signal handler can remove.
 *
 *   FOLDER/.NAME.batchd-JOB-ATTEMPT.part/NAME   for FOLDER/NAME
 *   FOLDER/.NAME.batchd-JOB-ATTEMPT.part/FILE   for FOLDER/NAME/FILE, where the output is a
 *                                       folder; if FOLDER is closed to us or another file system:
 *   FOLDER/NAME/.batchd-JOB-ATTEMPT.part/FILE
 *
 *   staging_prepare -> the sandbox -> staging_open -> staging_commit or staging_discard, for each
 *   -> staging_end
 *
 * SIGTERM, SIGINT and SIGHUP do as staging_end and end the process with 75. */
#ifndef BATCHD_PROCESSORS_LIB_STAGING_H
#define BATCHD_PROCESSORS_LIB_STAGING_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>

struct request;

void staging_catch_signals(void);

/* Makes the staging folder of the job's output, its folder of work (work_folder.h), and the
 * publisher; nothing where the job has no output. What fails is told by staging_open. Call with no
 * thread but this one. */
void staging_prepare(const struct request *request);
/* The folders that the job writes in, absolute and borrowed; NULL: there is none. */
const char *staging_folder(void);
const char *staging_work(void);
/* Whether somebody looks at how much is written there (stage_watch.h). */
bool staging_is_watched(void);
/* Why the second one could not be made, which the sandbox keeps from who tries again: an errno, 0:
 * it was made. */
int staging_work_failed(void);

/* Makes the empty staging file for the absolute `path` of the target, and removes what an earlier
 * attempt of the same job left of it. Returns its path, borrowed until commit or discard. NULL with
 * ERROR_CONFLICT: the folder is missing or closed to us, or the target is there and no regular
 * file; ERROR_BUSY: another run is at work. */
const char *staging_open(const char *path, struct error *err);

/* Whether an earlier attempt of the same job left something of this target, asked while no staging
 * file is open: it was ended while it wrote it, by nothing that it could answer (a crash of its
 * own, SIGKILL, the machine's end). */
bool staging_is_left(const char *path);

/* fsync, rename, fsync of the folder. 0 or -1 with ERROR_IO; then nothing is left behind. */
int staging_commit(struct error *err);

/* Removes the staging file if there is one. */
void staging_discard(void);

/* The job's output becomes a folder, if it is none yet; `path` is for texts. 0, or -1 with
 * ERROR_CONFLICT or ERROR_BUSY. */
int staging_make_folder(const char *path, struct error *err);

/* {path, bytes, sha256} of what is at the target now; owned by the caller. NULL: nothing that can
 * be read. */
json_t *staging_look(const char *path);

/* Removes the staging folder, and the journal's if it is empty. */
void staging_end(void);

#endif
