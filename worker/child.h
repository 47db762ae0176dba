/* From fork to exec: everything is prepared before the fork, and the child only makes system calls.
 * Under one uid the child shares the worker's memory until it execs (CLONE_VM|CLONE_VFORK), which
 * is what makes small jobs cheap; when the uid changes it gets a copy, so that a process of another
 * user never shares memory with a privileged one. */
#ifndef BATCHD_WORKER_CHILD_H
#define BATCHD_WORKER_CHILD_H

#include "common/error.h"
#include "common/worker_protocol.h"

#include <sys/types.h>

struct child_plan {
    const struct job_run *run;
    int stdin_fd; /* used when the run names no stdin file */
    int stdout_fd, stderr_fd;
    int lines_fd; /* becomes 3; -1: none */
    int notes_fd; /* becomes 4; -1: none */
    int group_fd; /* the folder of its control group; -1: none. Only where the user changes. */
    bool change_user;
    bool no_new_privs;
    char *const *env;
    const gid_t *groups;
    int group_count;
};

/* The memory that one child after another starts in. */
struct child_starter;

struct child_starter *child_starter_new(void); /* NULL: there is no memory (errno) */
void child_starter_free(struct child_starter *starter);

/* Starts the job. 0 and *ret_pid; -1 with err, whose saved_errno says why it could not run. */
int child_start(struct child_starter *starter, const struct child_plan *plan, pid_t *ret_pid,
                struct error *err);
/* Says that the program of `run` could not be executed; -1. */
int child_program_failed(const struct job_run *run, int number, struct error *err);

#endif
