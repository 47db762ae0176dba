/* The spawner: forks workers on request, so that they are children of neither batchd nor of a job.
 * It holds each worker's lock beside the worker itself, and is the subreaper to which a dead
 * worker's job falls: it kills that tree, writes SWEPT into the worker's log, and only then lets
 * the lock go.
 *
 * In system mode each worker has a control group too (worker/cgroup.h). With it a new spawner can
 * do the same for a worker that outlived an earlier one (SWEEP); without it such a tree stays
 * unproved.
 *
 * SIGTERM ends the workers and their jobs, SIGUSR1 only the spawner: the workers go on, serve
 * batchd as before, and a later spawner makes new ones beside them. */
#ifndef BATCHD_WORKER_SPAWNER_H
#define BATCHD_WORKER_SPAWNER_H

#include "worker/launch.h"

/* The process exit status: 0, 74 input/output, 75 another spawner serves this state. */
int spawner_run(const struct spawner_options *options);

#endif
