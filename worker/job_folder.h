/* Removing the folders of a job that is no more, with all that is in them. A part of it may be the
 * job's user's (its checkpoints), who may change it meanwhile: every name is taken relative to an
 * open folder, no link is followed, and nothing of another file system is entered. Of a user's own
 * folder only what that user may remove, too: a folder that belongs to another is left. */
#ifndef BATCHD_WORKER_JOB_FOLDER_H
#define BATCHD_WORKER_JOB_FOLDER_H

#include "common/job_folders.h"

/* Removes those that are asked for and fills in `removed` and `failed`; after some milliseconds the
 * rest is left. `jobs_fd` is the folder of all jobs, `users_fd` that of all users' checkpoints in
 * system mode (user_folder.h), else -1. */
void job_folders_remove(int jobs_fd, int users_fd, struct job_folders *folders);

#endif
