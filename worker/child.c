#include "worker/child.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/program.h"

#include <fcntl.h>
#include <grp.h>
#include <sanitizer/asan_interface.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define STACK_BYTES 65536U

enum stage {
    STAGE_NONE,
    STAGE_STDIN,
    STAGE_DESCRIPTORS,
    STAGE_USER,
    STAGE_FOLDER,
    STAGE_PROGRAM,
};

/* Shared with the child, by memory or by a shared page. */
struct report {
    enum stage stage;
    int number; /* errno */
};

struct child_call {
    const struct child_plan *plan;
    const char *path; /* PATH of the job's environment, or NULL */
    struct report *report;
};

__attribute__((noreturn)) static void give_up(const struct child_call *call, enum stage stage)
{
    call->report->number = errno;
    call->report->stage = stage;
    _exit(126);
}

/* What the worker ignores (worker.c, set_dispositions): an exec resets only what is caught. */
static void reset_signals(void)
{
    static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT};
    sigset_t none;
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        (void)signal(ignored[i], SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The descriptors of the worker are 3 to 9 and the pipes lie above (worker.h), so no dup2
 * overwrites one that is still needed. */
static int place_descriptors(const struct child_plan *plan)
{
    const int wanted[] = {plan->stdin_fd, plan->stdout_fd, plan->stderr_fd, plan->lines_fd,
                          plan->notes_fd};
    const int count = sizeof(wanted) / sizeof(wanted[0]);
    for (int i = 0; i < count; i++) {
        if (wanted[i] >= 0 ? dup2(wanted[i], i) < 0 : close_range((unsigned)i, (unsigned)i, 0) < 0)
            return -1;
    }
    return close_range((unsigned)count, ~0U, 0);
}

/* The worker is protected from the kernel's out-of-memory killer; the job is what it shall look at.
 */
static void take_back_protection(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    ssize_t ignored = fd < 0 ? 0 : write(fd, "0", 1);
    (void)ignored;
    if (fd >= 0)
        (void)close(fd);
}

/* Becomes the job's user for good, and makes sure of it. */
static int become_user(const struct child_plan *plan)
{
    uid_t uid = plan->run->uid;
    gid_t gid = plan->run->gid;
    uid_t real, effective, saved;
    gid_t real_group, effective_group, saved_group;
    take_back_protection();
    if (setgroups((size_t)plan->group_count, plan->groups) < 0 || setresgid(gid, gid, gid) < 0 ||
        setresuid(uid, uid, uid) < 0)
        return -1;
    if (getresuid(&real, &effective, &saved) < 0 ||
        getresgid(&real_group, &effective_group, &saved_group) < 0)
        return -1;
    /* Else all jobs would share the worker's, which is root's. */
    (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    if (plan->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    bool right = real == uid && effective == uid && saved == uid && real_group == gid &&
                 effective_group == gid && saved_group == gid;
    if (right && setuid(0) < 0)
        return 0;
    errno = EPERM;
    return -1;
}

/* The worker is suspended until the exec, so nothing here may block: a FIFO without a writer is
 * refused, as is all else that is no file and no device. */
static int open_stdin(const struct job_run *run)
{
    struct stat info;
    if (run->stdin_path == NULL || run->stdin_path[0] == '\0')
        return 0;
    int fd = open(run->stdin_path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) < 0)
        return -1;
    if (!S_ISREG(info.st_mode) && !S_ISCHR(info.st_mode)) {
        errno = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
        return -1;
    }
    if (fcntl(fd, F_SETFL, 0) < 0)
        return -1;
    int result = dup2(fd, 0);
    (void)close(fd);
    return result;
}

static int child_main(void *arg)
{
    const struct child_call *call = arg;
    const struct child_plan *plan = call->plan;
    const struct job_run *run = plan->run;
    (void)setsid();
    reset_signals();
    (void)umask((mode_t)run->umask);
    if (place_descriptors(plan) < 0)
        give_up(call, STAGE_DESCRIPTORS);
    if (plan->change_user && become_user(plan) < 0)
        give_up(call, STAGE_USER);
    if (chdir(run->cwd) < 0)
        give_up(call, STAGE_FOLDER);
    if (open_stdin(run) < 0)
        give_up(call, STAGE_STDIN);
    program_execute(run->program, call->path, run->argv, plan->env);
    give_up(call, STAGE_PROGRAM);
}

static const char *path_of(const struct job_run *run)
{
    for (uint32_t i = 0; i < run->envc; i++) {
        if (strncmp(run->env[i], "PATH=", 5) == 0)
            return run->env[i] + 5;
    }
    return NULL;
}

int child_program_failed(const struct job_run *run, int number, struct error *err)
{
    const char *program = run->program[0] != '\0' ? run->program : run->argv[0];
    errno = number;
    return error_set_errno(err, "cannot run \"%.80s\"", program);
}

static int explain(const struct job_run *run, const struct report *report, struct error *err)
{
    errno = report->number;
    switch (report->stage) {
    case STAGE_STDIN:
        return error_set_errno(err, "cannot open stdin \"%.80s\"", run->stdin_path);
    case STAGE_FOLDER:
        return error_set_errno(err, "cannot enter directory \"%.80s\"", run->cwd);
    case STAGE_PROGRAM:
        return child_program_failed(run, report->number, err);
    case STAGE_USER:
        return error_set_errno(err, "cannot become user %u", run->uid);
    case STAGE_DESCRIPTORS:
    case STAGE_NONE:
        break;
    }
    return error_set_errno(err, "cannot set up its descriptors");
}

struct child_starter {
    struct report *report; /* a shared page: the child may have a copy of all other memory */
    char *stack; /* private; used by one child after another, we are suspended meanwhile */
};

static void *map(size_t bytes, int flags)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

struct child_starter *child_starter_new(void)
{
    struct child_starter *starter = xcalloc(1, sizeof(*starter));
    starter->report = map(sizeof(*starter->report), MAP_SHARED);
    starter->stack = map(STACK_BYTES, MAP_PRIVATE | MAP_STACK);
    if (starter->report != NULL && starter->stack != NULL)
        return starter;
    child_starter_free(starter);
    return NULL;
}

void child_starter_free(struct child_starter *starter)
{
    if (starter == NULL)
        return;
    if (starter->report != NULL)
        (void)munmap(starter->report, sizeof(*starter->report));
    if (starter->stack != NULL)
        (void)munmap(starter->stack, STACK_BYTES);
    free(starter);
}

/* As a fork: the child has a copy of our memory, so it may go on on the same stack. Born in the
 * group: to be moved there costs milliseconds. -1: this kernel cannot, or the group is gone. */
static pid_t start_in_group(const struct child_call *call)
{
    struct clone_args args = {.flags = CLONE_VFORK | CLONE_INTO_CGROUP,
                              .exit_signal = SIGCHLD,
                              .cgroup = (unsigned long long)call->plan->group_fd};
    long pid = syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0)
        _exit(child_main((void *)(uintptr_t)call));
    return (pid_t)pid;
}

int child_start(struct child_starter *starter, const struct child_plan *plan, pid_t *ret_pid,
                struct error *err)
{
    struct report *report = starter->report;
    struct child_call call = {.plan = plan, .path = path_of(plan->run), .report = report};
    sigset_t all, before;
    *report = (struct report){.stage = STAGE_NONE};
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    /* The last child left it by exec, not by returning: under ASan its frames are still marked. */
    ASAN_UNPOISON_MEMORY_REGION(starter->stack, STACK_BYTES);
    pid_t pid = plan->group_fd < 0 ? -1 : start_in_group(&call);
    int flags = CLONE_VFORK | (plan->change_user ? 0 : CLONE_VM) | SIGCHLD;
    if (pid < 0)
        pid = clone(child_main, starter->stack + STACK_BYTES, flags, &call);
    int saved = errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    if (pid < 0)
        return error_set_errno(err, "cannot fork");
    if (report->stage != STAGE_NONE) {
        (void)waitpid(pid, NULL, 0);
        return explain(plan->run, report, err);
    }
    *ret_pid = pid;
    return 0;
}
