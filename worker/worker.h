/* A worker: serves one batchd at a time, runs one job at a time, keeps what is not acknowledged.
 *
 * It is executed by the spawner with these descriptors: */
#ifndef BATCHD_WORKER_WORKER_H
#define BATCHD_WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WORKER_FD_LOCK 3   /* held for life; the spawner has it too */
#define WORKER_FD_LOG 4    /* append only */
#define WORKER_FD_LISTEN 5 /* the worker's socket */
#define WORKER_FD_JOBS 6   /* the folder of all jobs */
#define WORKER_FD_USERS 7  /* system mode: the folder of all users' checkpoints (user_folder.h) */

struct worker_options {
    uint64_t id;
    bool system_mode;         /* jobs run as their own users */
    gid_t group;              /* (gid_t)-1: none */
    uid_t front_uid;          /* who may connect beside root and our own uid; (uid_t)-1: nobody */
    bool allow_setuid;        /* system mode: jobs may gain rights by set-user-ID programs */
    const char *step_program; /* batchd-job, beside us */
};

/* Runs until told to quit. The process exit status. */
int worker_run(const struct worker_options *options);

#endif
