/* Whom a job may run as: the privileged side's own check, whatever batchd says. */
#ifndef BATCHD_WORKER_USER_H
#define BATCHD_WORKER_USER_H

#include "common/error.h"
#include "common/worker_protocol.h"

#include <sys/types.h>

/* System accounts lie below (Debian policy 9.2.2); 65534 is nobody, the kernel's overflow id. */
#define USER_MIN_UID 1000U

struct user {
    bool change; /* the job runs as another user than the worker */
    gid_t *groups;
    int group_count;
};

/* In user mode only the worker's own uid; in system mode a real account of at least USER_MIN_UID,
 * whose primary group replaces run->gid. 0, or -1 with ERROR_DENIED. */
int user_check(const struct job_run *run, bool system_mode, struct user *ret, struct error *err);
void user_done(struct user *user);

#endif
