/* What one process of a job is started with: the user it becomes, its stdin, and the pipes that it
 * writes to. The job itself, the steps of batchd-job and servers (server.h) are started alike. */
#ifndef BATCHD_WORKER_START_H
#define BATCHD_WORKER_START_H

#include "common/error.h"
#include "common/worker_protocol.h"
#include "worker/child.h"
#include "worker/pipes.h"
#include "worker/user.h"

struct job_options {
    int jobs_fd;
    int users_fd;             /* system mode: of their checkpoints (user_folder.h) */
    int null_fd;              /* /dev/null */
    gid_t group;              /* who may read output, (gid_t)-1: nobody else */
    bool system_mode;         /* jobs run as their own user */
    bool allow_setuid;        /* system mode: without no_new_privs */
    const char *step_program; /* batchd-job */
    const char *worker_group; /* its control group, for the call of job_new; NULL: it has none */
};

struct start {
    const struct user *user; /* set by the caller before start_prepare; borrowed */
    bool no_new_privs;
    int input;
    struct talk talk;       /* of the server that does it, borrowed */
    int group_fd;           /* its control group (worker/job_group.h), borrowed; -1: none */
    int writers[PIPES_MAX]; /* the child's ends */
};
#define START_NONE                                                                    \
    {                                                                                 \
        .input = -1, .talk = TALK_NONE, .group_fd = -1, .writers = { -1, -1, -1, -1 } \
    }

/* Whom the processes of this attempt run as, asked once: the account database may be slow, and what
 * comes behind the job is to run as whom the job ran as. Its folder for checkpoints is made. 0, or
 * -1: ERROR_DENIED when no job may run as this user; anything else passes. user_done in any case,
 * after the last start. */
int start_user(const struct job_options *options, const struct job_run *run, struct user *ret,
               struct error *err);

/* Opens all of it, with a pipe for notes if that is wanted. 0, or -1: it passes. In any case
 * start_done, and when nothing is started after all pipes_close. */
int start_prepare(struct start *start, const struct job_options *options, struct pipes *pipes,
                  const struct job_run *run, bool notes, struct error *err);
/* child_start (worker/child.h). */
int start_child(const struct start *start, struct child_starter *starter, const struct job_run *run,
                pid_t *ret_pid, struct error *err);
void start_done(struct start *start);

#endif
