#include "worker/child.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/program.h"
#include "worker/process_limits.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
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
/* It calls two functions; under ASan they take more. */
#define THREAD_STACK_BYTES ((size_t)256 << 10)

enum stage {
    STAGE_NONE,
    STAGE_GATE,
    STAGE_STDIN,
    STAGE_DESCRIPTORS,
    STAGE_LIMITS,
    STAGE_BINDING,
    STAGE_USER,
    STAGE_FOLDER,
    STAGE_PROGRAM,
};

/* In a page that is shared with the child, which may have a copy of all other memory. */
struct report {
    enum stage stage;
    int number; /* errno */
};

struct child_call {
    const struct child_plan *plan;
    const char *path; /* PATH of the job's environment, or NULL */
    struct report *report;
    sem_t *born; /* told when it is there; NULL: nobody waits for that */
    int gate[2]; /* a byte comes through it when the child may go on */
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
    const int wanted[] = {plan->stdin_fd, plan->stdout_fd,   plan->stderr_fd,   plan->lines_fd,
                          plan->notes_fd, plan->talk.fds[0], plan->talk.fds[1], plan->talk.fds[2]};
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

void talk_close(struct talk *talk)
{
    for (int i = 0; i < TALK_MAX; i++) {
        cleanup_close(&talk->fds[i]);
        talk->fds[i] = -1;
    }
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

/* A FIFO without a writer would keep the job from its start: it is refused, as is all else that is
 * no file and no device. */
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

/* Until the worker lets us go on. When the gate ends without a word the worker is dead, has called
 * it off, or could not say the word: nothing of the job ever was, and the host is why. */
static void wait_for_gate(const struct child_call *call)
{
    char word;
    ssize_t got;
    if (call->born != NULL)
        (void)sem_post(call->born);
    (void)close(call->gate[1]);
    do
        got = read(call->gate[0], &word, 1);
    while (got < 0 && errno == EINTR);
    if (got == 1)
        return;
    errno = EAGAIN;
    give_up(call, STAGE_GATE);
}

static int child_main(void *arg)
{
    const struct child_call *call = arg;
    const struct child_plan *plan = call->plan;
    const struct job_run *run = plan->run;
    wait_for_gate(call);
    (void)setsid();
    reset_signals();
    (void)umask((mode_t)run->umask);
    if (place_descriptors(plan) < 0)
        give_up(call, STAGE_DESCRIPTORS);
    if (process_limits_set(&run->limits, plan->group_fd < 0 ? run->memory_bytes : 0) < 0)
        give_up(call, STAGE_LIMITS);
    if (process_limits_bind(&run->bound) < 0)
        give_up(call, STAGE_BINDING);
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

int child_program_failed(const char *program, int number, struct error *err)
{
    errno = number;
    return error_set_errno(err, "cannot run \"%.80s\"", program);
}

struct child_starter {
    struct report *report; /* shared with the child that was started last */
    char *program;         /* of that; owned */
    int gate;              /* our end while it waits at its gate; -1: none does */
    bool quick;
    /* Quick: the thread, and what it and the child read while we go on. */
    pthread_t thread;
    sem_t asked, born;
    struct job_run run; /* borrowed all that it points to */
    struct child_plan plan;
    struct child_call call;
    char *stack;       /* of the child; one has ended before the next begins */
    _Atomic pid_t pid; /* of the child, by the kernel, before it runs; 0: not yet */
    atomic_int number; /* errno: there is no child */
};

/* ---- the quick way ---- */

/* One child after another. The thread stands until the child has executed or is dead. */
static void *start_children(void *arg)
{
    struct child_starter *starter = arg;
    for (;;) {
        while (sem_wait(&starter->asked) < 0)
            ;
        /* The last child left it by exec, not by returning: under ASan its frames are still marked.
         */
        ASAN_UNPOISON_MEMORY_REGION(starter->stack, STACK_BYTES);
        if (clone(child_main, starter->stack + STACK_BYTES,
                  CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD, &starter->call,
                  (pid_t *)(uintptr_t)&starter->pid) < 0)
            atomic_store(&starter->number, errno);
        (void)sem_post(&starter->born); /* also for one that was killed before it could */
    }
    return NULL;
}

/* The kernel has told its pid before it runs, so one that is stopped at once keeps us no longer
 * than this. */
#define BORN_US (5 * US_PER_MS)

static pid_t wait_for_birth(struct child_starter *starter)
{
    while (atomic_load(&starter->pid) == 0 && atomic_load(&starter->number) == 0) {
        int64_t until = clock_running_us() + BORN_US;
        const struct timespec at = {.tv_sec = until / US_PER_SECOND,
                                    .tv_nsec = until % US_PER_SECOND * 1000};
        (void)sem_clockwait(&starter->born, CLOCK_MONOTONIC, &at);
    }
    errno = atomic_load(&starter->number);
    return errno != 0 ? -1 : atomic_load(&starter->pid);
}

static pid_t fork_quickly(struct child_starter *starter, const struct child_call *call)
{
    starter->run = *call->plan->run;
    starter->plan = *call->plan;
    starter->plan.run = &starter->run;
    starter->call = *call;
    starter->call.plan = &starter->plan;
    starter->call.born = &starter->born;
    atomic_store(&starter->pid, 0);
    atomic_store(&starter->number, 0);
    (void)sem_post(&starter->asked);
    return wait_for_birth(starter);
}

static int start_thread(struct child_starter *starter)
{
    sigset_t all, before;
    pthread_attr_t small;
    starter->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                          MAP_ANONYMOUS | MAP_PRIVATE | MAP_STACK, -1, 0);
    if (starter->stack == MAP_FAILED)
        return -1;
    (void)sem_init(&starter->asked, 0, 0);
    (void)sem_init(&starter->born, 0, 0);
    (void)pthread_attr_init(&small);
    (void)pthread_attr_setstacksize(&small, THREAD_STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&starter->thread, &small, start_children, starter);
    (void)pthread_attr_destroy(&small);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    starter->quick = failed == 0;
    errno = failed;
    return failed == 0 ? 0 : -1;
}

static void end_thread(struct child_starter *starter)
{
    (void)pthread_cancel(starter->thread); /* no child is there, so it waits to be asked */
    (void)pthread_join(starter->thread, NULL);
    (void)munmap(starter->stack, STACK_BYTES);
}

/* ---- one child ---- */

struct child_starter *child_starter_new(bool quick)
{
    struct child_starter *starter = xcalloc(1, sizeof(*starter));
    void *page = mmap(NULL, sizeof(*starter->report), PROT_READ | PROT_WRITE,
                      MAP_ANONYMOUS | MAP_SHARED, -1, 0);
    starter->gate = -1;
    starter->report = page == MAP_FAILED ? NULL : page;
    if (starter->report != NULL && (!quick || start_thread(starter) == 0))
        return starter;
    child_starter_free(starter);
    return NULL;
}

void child_starter_free(struct child_starter *starter)
{
    if (starter == NULL)
        return;
    if (starter->quick)
        end_thread(starter);
    if (starter->report != NULL)
        (void)munmap(starter->report, sizeof(*starter->report));
    cleanup_close(&starter->gate);
    free(starter->program);
    free(starter);
}

/* Born in the group: to be moved there costs milliseconds. */
static pid_t fork_in_group(int group_fd)
{
    struct clone_args args = {
        .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (unsigned long long)group_fd};
    return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static pid_t fork_child(struct child_starter *starter, struct child_call *call)
{
    const struct child_plan *plan = call->plan;
    if (starter->quick && !plan->change_user && plan->group_fd < 0)
        return fork_quickly(starter, call);
    pid_t pid = plan->group_fd < 0 ? fork() : fork_in_group(plan->group_fd);
    /* This kernel cannot, or the group is gone or hands controllers on. Where there is no room for
     * a process there is none outside of the group either: it is not to run without its limits. */
    if (plan->group_fd >= 0 && pid < 0 && errno != EAGAIN && errno != ENOMEM) {
        log_warning("a job runs outside of its control group, without its limits: %s",
                    strerrordesc_np(errno));
        pid = fork();
    }
    if (pid == 0)
        (void)child_main(call);
    return pid;
}

int child_start(struct child_starter *starter, const struct child_plan *plan, pid_t *ret_pid,
                struct error *err)
{
    const struct job_run *run = plan->run;
    struct child_call call = {
        .plan = plan, .path = path_of(run), .report = starter->report, .gate = {-1, -1}};
    *starter->report = (struct report){.stage = STAGE_NONE};
    free(starter->program);
    starter->program = xstrdup(run->program[0] != '\0' ? run->program : run->argv[0]);
    if (pipe2(call.gate, O_CLOEXEC) < 0)
        return error_set_errno(err, "cannot make its gate");
    pid_t pid = fork_child(starter, &call);
    int saved = errno;
    (void)close(call.gate[0]);
    if (pid < 0) {
        (void)close(call.gate[1]);
        errno = saved;
        return error_set_errno(err, "cannot fork");
    }
    starter->gate = call.gate[1];
    *ret_pid = pid;
    return 0;
}

void child_go_on(struct child_starter *starter)
{
    (void)fd_write_all(starter->gate, "", 1); /* what does not hear it tells so (STAGE_GATE) */
    cleanup_close(&starter->gate);
    starter->gate = -1;
}

void child_call_off(struct child_starter *starter, pid_t pid)
{
    cleanup_close(&starter->gate);
    starter->gate = -1;
    (void)kill(pid, SIGKILL); /* somebody may have stopped it */
    (void)waitpid(pid, NULL, 0);
}

/* None of them is there now, or ours: as if there were no room for a process, which is tried again.
 */
static int binding_failed(int number, struct error *err)
{
    (void)error_set_errno(err, "cannot bind it to its processors");
    if (number == EINVAL)
        err->saved_errno = EAGAIN;
    return -1;
}

int child_failed(const struct child_starter *starter, const struct job_run *run, struct error *err)
{
    const struct report *report = starter->report;
    errno = report->number;
    switch (report->stage) {
    case STAGE_NONE:
        return 0;
    case STAGE_STDIN:
        return error_set_errno(err, "cannot open stdin \"%.80s\"", run->stdin_path);
    case STAGE_FOLDER:
        return error_set_errno(err, "cannot enter directory \"%.80s\"", run->cwd);
    case STAGE_PROGRAM:
        return child_program_failed(starter->program, report->number, err);
    case STAGE_USER:
        return error_set_errno(err, "cannot become user %u", run->uid);
    case STAGE_DESCRIPTORS:
        return error_set_errno(err, "cannot set up its descriptors");
    case STAGE_LIMITS:
        return error_set_errno(err, "cannot set its limits");
    case STAGE_BINDING:
        return binding_failed(report->number, err);
    case STAGE_GATE:
        break;
    }
    return error_set_errno(err, "it was not let go on");
}
