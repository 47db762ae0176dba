/* Making a worker: its folder with lock, log and socket, its control group, the fork. The current
 * folder is STATE/workers, all names are relative to it, no link is followed. */
#ifndef BATCHD_WORKER_LAUNCH_H
#define BATCHD_WORKER_LAUNCH_H

#include "common/cpu_list.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct spawner_options {
    const char *state_dir;
    const char *program; /* what to execute as a worker: this program's path */
    bool foreground;     /* stays in the foreground and stays when there is nothing to do */
    bool system_mode;
    gid_t group;       /* (gid_t)-1: none */
    uid_t front_uid;   /* (uid_t)-1: nobody beside root and us */
    bool allow_setuid; /* system mode: jobs may gain rights by set-user-ID programs */
};

struct launcher {
    const struct spawner_options *options;
    int jobs_fd;                 /* the folder of all jobs, which the worker inherits */
    int users_fd;                /* of their checkpoints (user_folder.h), too; -1 in user mode */
    const char *cgroup;          /* below which it gets its own; NULL: it gets none */
    const struct cpu_list *cpus; /* that this is kept to; empty: any */
};

struct launched {
    pid_t pid;
    int lock_fd, log_fd; /* the worker has them too; the lock is one lock */
    char *cgroup;        /* owned; NULL: it has none */
};

/* Opens a folder of ours below the current one, made if absent; takes none that is somebody else's.
 */
int launch_open_folder(const struct spawner_options *options, const char *name);
/* A listening socket at a short name, for our group to connect to. */
int launch_listen(const struct spawner_options *options, const char *name);
/* An id whose folder is there already is refused: no id is used twice. 0, or -1 with errno. */
int launch_worker(const struct launcher *launcher, uint64_t id, struct launched *ret);

#endif
