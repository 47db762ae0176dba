/* Removing the folder of a job that is no more, with all that is in it. A part of it may be the
 * job's user's (checkpoint/), who may change it meanwhile: every name is taken relative to an open
 * folder, no link is followed, and nothing of another file system is entered. */
#ifndef BATCHD_WORKER_JOB_FOLDER_H
#define BATCHD_WORKER_JOB_FOLDER_H

#include "common/job_folders.h"

/* Removes those that are asked for and fills in `removed` and `failed`; after some milliseconds the
 * rest is left. `jobs_fd` is the folder of all jobs. */
void job_folders_remove(int jobs_fd, struct job_folders *folders);

#endif
