/* From fork to exec: everything is prepared before the fork, and the child only makes system calls.
 * It waits at a gate until the worker has written GO, and the worker waits for nothing of it: the
 * job's user can stop it before its exec, and a folder, an input or a program on a file system that
 * does not answer keeps it there; then it is signalled and killed as any job.
 *
 * Under one uid the child shares the worker's memory until it executes (CLONE_VM), which is what
 * makes small jobs cheap; a thread of its own stands meanwhile (CLONE_VFORK). When the uid changes
 * it gets a copy, so that a process of another user never shares memory with a privileged one. */
#ifndef BATCHD_WORKER_CHILD_H
#define BATCHD_WORKER_CHILD_H

#include "common/error.h"
#include "common/worker_protocol.h"

#include <sys/types.h>

/* What batchd-job speaks with a server by (server.h), as descriptors 5, 6 and 7: lines both ways,
 * and to read what it wrote on stdout and stderr. */
#define TALK_MAX 3
struct talk {
    int fds[TALK_MAX]; /* -1: none */
};
#define TALK_NONE      \
    {                  \
        {              \
            -1, -1, -1 \
        }              \
    }
void talk_close(struct talk *talk);

struct child_plan {
    const struct job_run *run;
    int stdin_fd; /* used when the run names no stdin file */
    int stdout_fd, stderr_fd;
    int lines_fd;     /* becomes 3; -1: none */
    int notes_fd;     /* becomes 4; -1: none */
    struct talk talk; /* borrowed */
    int group_fd;     /* the folder of its control group; -1: none */
    bool change_user;
    bool no_new_privs;
    char *const *env;
    const gid_t *groups;
    int group_count;
};

/* Starts one child after another. */
struct child_starter;

/* `quick`: with a thread, for children that do not change their user. NULL with errno: there is no
 * memory, or no thread. */
struct child_starter *child_starter_new(bool quick);
void child_starter_free(struct child_starter *starter);

/* Makes the process, which waits at its gate. 0 and *ret_pid; -1 with err: there is none. Until it
 * has ended what plan->run points to stays as it is. */
int child_start(struct child_starter *starter, const struct child_plan *plan, pid_t *ret_pid,
                struct error *err);
/* It goes on, and becomes the job. */
void child_go_on(struct child_starter *starter);
/* It is not to go on: it ends at its gate, and is reaped. */
void child_call_off(struct child_starter *starter, pid_t pid);
/* Of the child that was started last, when it has ended: 0 when it became `run`, or died before it
 * could; -1 with err, whose saved_errno says why it could not run. */
int child_failed(const struct child_starter *starter, const struct job_run *run, struct error *err);
/* Says that the program could not be executed; -1. */
int child_program_failed(const char *program, int number, struct error *err);

#endif
