/* The steps of an attempt that are not the job itself: runs of batchd-job (step/main.c) as the
 * job's user, in its folder, with its environment; and what they tell. */
#ifndef BATCHD_WORKER_STEP_H
#define BATCHD_WORKER_STEP_H

#include "common/worker_protocol.h"

#include <stddef.h>

/* Whether the attempt begins with a step: it may find a checkpoint, or what an earlier one left. */
bool step_begins(const struct job_run *job);

/* What to run. All but program and argv is borrowed from `job`; step_done releases the two. */
struct job_run step_begin(const struct job_run *job, const char *program);
/* `started_at` is of clock_file_us: outputs of a later change are the job's. */
struct job_run step_finish(const struct job_run *job, const char *program, int64_t started_at);
struct job_run step_discard(const struct job_run *job, const char *program);
/* Has the server (worker/server.h) do the job, and is it meanwhile. */
struct job_run step_serve(const struct job_run *job, const char *program, pid_t server);
/* Makes the checkpoint that this line of a processor asks for. */
struct job_run step_checkpoint(const struct job_run *job, const char *program, const char *line);
void step_done(struct job_run *step);

/* The lines of a step, which may come in pieces. What the user's processes could add to them says
 * things about the user's own job. */
#define STEP_LINES_MAX 4096U
struct step_lines {
    char text[STEP_LINES_MAX];
    size_t used;
};

/* True when a line has become whole by it, which bytes behind the limit never do. */
bool step_lines_add(struct step_lines *lines, const char *data, size_t bytes);
/* What the whole lines say. */
struct step_news {
    struct job_notes notes;
    int spawn_errno;  /* 0: it was executed */
    char failed[200]; /* what is wrong with the outputs, else "" */
    /* Of the job in its server; 0: nothing is told. */
    uint64_t user_us, system_us, max_rss_bytes;
    bool told; /* by the server, of the job alone; else that is what the server used meanwhile */
};
void step_lines_read(const struct step_lines *lines, struct step_news *ret);

#endif
