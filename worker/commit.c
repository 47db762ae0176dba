#include "worker/commit.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "worker/checkpoint_lines.h"
#include "worker/step.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* One whose process somebody kills is made anew, and given up the second time. */
#define TRIES_MAX 2
/* Each takes a process, and reads all that is kept: a job that asks more often costs others. */
#define INTERVAL_US US_PER_SECOND

struct commit {
    const struct job_options *options;
    pipes_sink_fn sink;
    void *arg;
    struct child_starter *starter;
    struct pipes *pipes;
    struct checkpoint_lines lines;
    struct job_run step; /* its words are owned */
    char *line;          /* that is being made; owned */
    pid_t pid;           /* 0: none is */
    int64_t next_at;     /* not before this, on clock_running_us */
    unsigned tries;
    bool noted; /* there is a note already: they have little room */
};

static void pass_on(void *arg, enum pipe_kind which, const char *data, size_t bytes)
{
    struct commit *commit = arg;
    if (which != PIPE_NOTES || !commit->noted)
        commit->sink(commit->arg, which, data, bytes);
    commit->noted = commit->noted || (which == PIPE_NOTES && data[bytes - 1] == '\n');
}

struct commit *commit_new(const struct job_options *options, pipes_sink_fn sink, void *arg)
{
    struct commit *commit = xcalloc(1, sizeof(*commit));
    *commit = (struct commit){.options = options, .sink = sink, .arg = arg};
    commit->pipes = pipes_new(pass_on, commit);
    commit->starter = child_starter_new(false);
    if (commit->starter != NULL)
        return commit;
    commit_free(commit);
    return NULL;
}

static void forget(struct commit *commit)
{
    pipes_close(commit->pipes);
    step_done(&commit->step);
    free(commit->line);
    commit->line = NULL;
    commit->pid = 0;
}

void commit_reset(struct commit *commit)
{
    forget(commit);
    checkpoint_lines_reset(&commit->lines);
    commit->next_at = 0;
    commit->tries = 0;
    commit->noted = false;
}

void commit_free(struct commit *commit)
{
    if (commit == NULL)
        return;
    commit_reset(commit);
    pipes_free(commit->pipes);
    child_starter_free(commit->starter);
    free(commit);
}

void commit_read(struct commit *commit, const char *data, size_t bytes)
{
    checkpoint_lines_add(&commit->lines, data, bytes);
}

int64_t commit_due(const struct commit *commit)
{
    return commit->pid == 0 && commit->lines.waits != NULL ? commit->next_at : INT64_MAX;
}

pid_t commit_pid(const struct commit *commit)
{
    return commit->pid;
}

void commit_tell_failure(struct commit *commit, const char *why)
{
    CLEANUP_FREE char *log = xasprintf("batchd: no checkpoint was made: %s\n", why);
    CLEANUP_FREE char *note = xasprintf("note no checkpoint was made: %s\n", why);
    pass_on(commit, PIPE_STDERR, log, strlen(log));
    pass_on(commit, PIPE_NOTES, note, strlen(note));
}

void commit_start(struct commit *commit, const struct job_run *run, const struct user *user,
                  int group_fd, int64_t now)
{
    CLEANUP(start_done) struct start start = START_NONE;
    struct error err;
    commit->line = checkpoint_lines_take(&commit->lines);
    commit->step = step_checkpoint(run, commit->options->step_program, commit->line);
    commit->next_at = now + INTERVAL_US;
    start.group_fd = group_fd;
    start.user = user;
    if (start_prepare(&start, commit->options, commit->pipes, &commit->step, true, &err) == 0 &&
        start_child(&start, commit->starter, &commit->step, &commit->pid, &err) == 0) {
        child_go_on(commit->starter);
        return;
    }
    commit_tell_failure(commit, err.text);
    forget(commit);
}

void commit_ended(struct commit *commit, int status)
{
    struct error err;
    pipes_drain(commit->pipes);
    if (child_failed(commit->starter, &commit->step, &err) < 0) {
        commit_tell_failure(commit, err.text);
    } else if (WIFSIGNALED(status) && ++commit->tries < TRIES_MAX) {
        checkpoint_lines_return(&commit->lines, TAKE_PTR(commit->line));
    } else if (WIFSIGNALED(status)) {
        commit_tell_failure(commit, "batchd-job, which makes it, was killed");
    }
    if (!WIFSIGNALED(status))
        commit->tries = 0;
    forget(commit);
}

char *commit_take(struct commit *commit)
{
    if (commit->line != NULL)
        checkpoint_lines_return(&commit->lines, TAKE_PTR(commit->line));
    forget(commit);
    return checkpoint_lines_take(&commit->lines);
}

nfds_t commit_poll(const struct commit *commit, struct pollfd *fds)
{
    return pipes_poll(commit->pipes, fds);
}

void commit_handle(struct commit *commit, const struct pollfd *fds, nfds_t count)
{
    pipes_handle(commit->pipes, fds, count);
}
