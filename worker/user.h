/* Whom a job may run as: the privileged side's own check, whatever batchd says. */
#ifndef BATCHD_WORKER_USER_H
#define BATCHD_WORKER_USER_H

#include "common/error.h"
#include "common/worker_protocol.h"

#include <sys/types.h>

struct user {
    bool change; /* the job runs as another user than the worker */
    gid_t *groups;
    int group_count;
    char **env; /* the account's part and what the run has; NULL: just what the run has */
    char *account[4];
};

/* In user mode only the worker's own uid; in system mode a real account of at least JOB_UID_MIN,
 * with a group that it is a member of. There HOME, USER, LOGNAME and SHELL are the account's unless
 * the job names its own. The result borrows the run's texts. 0; -1 with
 * ERROR_DENIED, or with another code when the account database does not answer. */
int user_check(const struct job_run *run, bool system_mode, struct user *ret, struct error *err);
void user_done(struct user *user);

#endif
