#include "worker/start.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"
#include "worker/user_folder.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

/* A processor's input: a file in memory, so that no writer has to be kept. */
static int open_input(const struct job_run *run, int null_fd)
{
    if (!run->is_processor)
        return fcntl(null_fd, F_DUPFD_CLOEXEC, 10);
    CLEANUP_CLOSE int fd = memfd_create("batchd-input", MFD_CLOEXEC);
    if (fd < 0 || fd_write_all(fd, run->input, strlen(run->input)) < 0 ||
        fd_write_all(fd, "\n", 1) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return -1;
    return TAKE_FD(fd);
}

int start_user(const struct job_options *options, const struct job_run *run, struct user *ret,
               struct error *err)
{
    if (user_check(run, options->system_mode, ret, err) < 0)
        return -1;
    if (ret->change && user_folder_make(options->users_fd, run->uid, run->gid) < 0)
        log_warning("user %u has no folder for checkpoints: %s", run->uid, strerrordesc_np(errno));
    return 0;
}

int start_prepare(struct start *start, const struct job_options *options, struct pipes *pipes,
                  const struct job_run *run, bool notes, struct error *err)
{
    const struct pipes_wanted wanted = {.lines = run->is_processor,
                                        .notes = notes,
                                        .uid = options->system_mode ? run->uid : (uid_t)-1,
                                        .gid = run->gid};
    start->no_new_privs = start->user->change && !options->allow_setuid;
    if (pipes_open(pipes, &wanted, start->writers) == 0)
        start->input = open_input(run, options->null_fd);
    return start->input < 0 ? error_set_errno(err, "cannot make its pipes") : 0;
}

int start_child(const struct start *start, struct child_starter *starter, const struct job_run *run,
                pid_t *ret_pid, struct error *err)
{
    const struct user *user = start->user;
    const struct child_plan plan = {.run = run,
                                    .stdin_fd = start->input,
                                    .stdout_fd = start->writers[PIPE_STDOUT],
                                    .stderr_fd = start->writers[PIPE_STDERR],
                                    .lines_fd = start->writers[PIPE_LINES],
                                    .notes_fd = start->writers[PIPE_NOTES],
                                    .talk = start->talk,
                                    .group_fd = start->group_fd,
                                    .change_user = user->change,
                                    .groups = user->groups,
                                    .group_count = user->group_count,
                                    .env = user->env != NULL ? user->env : run->env,
                                    .no_new_privs = start->no_new_privs};
    return child_start(starter, &plan, ret_pid, err);
}

void start_done(struct start *start)
{
    cleanup_close(&start->input);
    for (int i = 0; i < PIPES_MAX; i++)
        cleanup_close(&start->writers[i]);
}
