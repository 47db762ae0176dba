/* What the two halves of a job share: job.c starts and drives it, job_behind.c does what comes when
 * its main process has ended. */
#ifndef BATCHD_WORKER_JOB_INTERNAL_H
#define BATCHD_WORKER_JOB_INTERNAL_H

#include "worker/autogroup.h"
#include "worker/commit.h"
#include "worker/output.h"
#include "worker/start.h"
#include "worker/job_group.h"
#include "worker/sampler.h"
#include "worker/server.h"
#include "worker/step.h"
#include "worker/timetable.h"
#include "worker/user.h"

#include <sys/resource.h>

struct job_events; /* worker/job.h */

enum phase { PHASE_IDLE, PHASE_RUNNING, PHASE_SWEEPING };

/* What the main process is: the job, or a step of batchd-job behind it (step/main.c). */
enum stage { STAGE_JOB, STAGE_CHECKPOINT, STAGE_FINISH, STAGE_DISCARD };

struct job {
    struct job_options options;
    const struct job_events *events;
    void *arg;
    struct output *output;
    struct pipes *pipes;
    struct job_group *group;
    struct child_starter *starter;
    struct server *server; /* that may do jobs */
    struct commit *commit; /* of the checkpoints that it asks for by its lines */
    enum phase phase;
    enum stage stage;
    struct job_run run;  /* owned while it runs */
    struct job_run step; /* of batchd-job, if that is the main process: its words are owned */
    struct user user;    /* of all its processes; owned while it runs */
    struct attempt_id id;
    pid_t pid;                         /* the main process; unreaped while PHASE_RUNNING */
    int64_t started_at;                /* wall */
    int64_t files_from;                /* what it writes is stamped no earlier; clock_file_us */
    struct timetable times, own_times; /* the latter while another is that of a step */
    int64_t behind_kill_at; /* who stopped it when its main process had ended; INT64_MAX: nobody */
    struct autogroup autogroup;
    struct sampler sampler;
    uint64_t grace_ms;
    int warn_signal;
    bool suspended;          /* or about to be */
    bool out_of_memory;      /* the kernel killed some of it */
    bool served;             /* the server does it, or did */
    bool answered;           /* it did */
    bool keeps_server;       /* and goes on */
    unsigned rounds;         /* of the sweep */
    enum exit_cause cause;   /* why it was stopped */
    struct job_exit end;     /* filled as it becomes known */
    struct step_lines lines; /* what the steps told */
    struct step_news news;   /* of these */
};

/* ---- a job that the server does (job_served.c) ---- */

/* As job_served_start, whichever way it is. -1: nothing of it has started. */
int job_start_process(struct job *job, const struct job_run *run, struct start *start,
                      struct error *err);
/* The main process ended so: whether the server goes on, and else, how the job ended. */
int job_served_status(struct job *job, int status);
/* The server ended and says that it did not begin it. */
bool job_served_unbegun(const struct job *job);
/* Then: true: it was started as a process of its own. */
bool job_served_again(struct job *job);
/* Completes its end by what was seen of it while it ran, served or not. */
void job_served_settle(struct job *job);
/* Then: what the server used for it is the job's. */
void job_served_usage(struct job *job);

/* Notes the end of its main process, or of the step that was it. */
void job_note_status(struct job *job, int status, const struct rusage *usage);
/* Nothing is left of the tree of what ran. True when something has been started behind it. */
bool job_goes_on(struct job *job);
/* Nothing is to come: its end is complete. */
void job_complete(struct job *job);

#endif
