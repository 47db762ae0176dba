/* The checkpoints that a processor asks for by its lines (checkpoint_lines.h). One at a time is
 * made by batchd-job beside the job, as its user, in its control group; the job goes on meanwhile,
 * and so does the worker. One that is not made is told by batchd-job, on the job's stderr and in
 * the first case as a note; the job lives on.
 *
 * What is being made when the job ends is killed with the rest of it, and made behind it then; if
 * it was made already, and its process had not ended yet, it is made twice. */
#ifndef BATCHD_WORKER_COMMIT_H
#define BATCHD_WORKER_COMMIT_H

#include "worker/pipes.h"
#include "worker/start.h"

struct commit;

/* What batchd-job tells and writes goes to the sink. NULL: there is no memory (errno). */
struct commit *commit_new(const struct job_options *options, pipes_sink_fn sink, void *arg);
void commit_free(struct commit *commit);

void commit_reset(struct commit *commit); /* a new job */
void commit_read(struct commit *commit, const char *data, size_t bytes);
/* When the one that waits is to be made, on clock_running_us; INT64_MAX: none waits, or one is
 * being made. At most one a second is: of those asked for meanwhile the last. */
int64_t commit_due(const struct commit *commit);

/* Starts to make it, for the job that is `run`, as its user. */
void commit_start(struct commit *commit, const struct job_run *run, const struct user *user,
                  int group_fd, int64_t now);
pid_t commit_pid(const struct commit *commit); /* 0: none is being made */
/* Its process ended. */
void commit_ended(struct commit *commit, int status);
/* Why one was not made, where batchd-job itself cannot tell it: on the job's stderr, and as a note.
 */
void commit_tell_failure(struct commit *commit, const char *why);
/* The job has ended, and its tree is dead. The line that still waits, now the caller's; NULL: none.
 */
char *commit_take(struct commit *commit);

/* For poll, as worker/pipes.h. */
nfds_t commit_poll(const struct commit *commit, struct pollfd *fds);
void commit_handle(struct commit *commit, const struct pollfd *fds, nfds_t count);

#endif
