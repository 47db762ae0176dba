/* Kills a process at its nth system call that changes something.
 *
 *   syskill ROLE N entry|exit REPORT PROGRAM ARGUMENTS...
 *
 * Runs PROGRAM and follows what it starts. The calls of all processes of the ROLE (batchd, spawner,
 * worker; step: batchd-job and batchctl; a fork has the role of its parent until it executes
 * something) are counted together; the one that makes the nth is killed before the kernel sees the
 * call, or after it returned and before the process knows. N = 0 only counts. REPORT gets the
 * count, the name of the call that was hit and its process. Jobs are let go as they are executed.
 * Ends with the status of PROGRAM as a shell says it; what else runs then runs on. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What changes a file, a process, a lock or what a peer knows, or takes what cannot be taken twice.
 */
/* clang-format off */
#define CHANGES(X) \
    X(write) X(pwrite64) X(writev) X(pwritev) X(pwritev2) X(fsync) X(fdatasync) \
    X(ftruncate) X(fallocate) X(openat) X(open) X(creat) X(unlink) X(unlinkat) X(rename) \
    X(renameat) X(renameat2) X(mkdir) X(mkdirat) X(rmdir) X(link) X(linkat) X(symlink) \
    X(symlinkat) X(flock) X(fcntl) X(sendto) X(sendmsg) X(recvfrom) X(recvmsg) X(read) \
    X(readv) X(connect) X(bind) X(listen) X(accept4) X(clone) X(clone3) X(fork) X(vfork) \
    X(execve) X(exit_group) X(kill) X(tgkill) X(wait4) X(waitid) X(setsid) X(chown) \
    X(fchown) X(fchownat) X(lchown) X(chmod) X(fchmod) X(fchmodat) X(dup2) X(pipe2) \
    X(chdir) X(fchdir) X(memfd_create) X(pidfd_send_signal) X(setresuid) X(setresgid) \
    X(setgroups) X(truncate) X(utimensat) X(close_range) X(copy_file_range) \
    X(sync_file_range) X(syncfs) X(prctl)
/* clang-format on */

struct change {
    long number;
    const char *name;
};

static const struct change changes[] = {
#define X(name) {SYS_##name, #name},
    CHANGES(X)
#undef X
};

#define TRACED_MAX 256
#define OPTIONS                                                                               \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
     PTRACE_O_TRACEEXEC)

enum role { ROLE_OTHER, ROLE_DAEMON, ROLE_SPAWNER, ROLE_WORKER, ROLE_STEP };

struct traced {
    pid_t pid;
    enum role role;
    bool known; /* its parent's fork was reported, which may come after its own first stop */
    bool waits; /* stopped until then */
};

struct tracer {
    struct traced traced[TRACED_MAX];
    enum role wanted;
    uint64_t nth, count;
    bool at_exit;
    const char *report;
    pid_t root;
};

static enum role role_of(const char *word)
{
    static const char *const words[] = {"other", "batchd", "spawner", "worker", "step"};
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i], word) == 0)
            return (enum role)i;
    }
    return ROLE_OTHER;
}

static struct traced *find(struct tracer *tracer, pid_t pid)
{
    struct traced *room = NULL;
    for (int i = 0; i < TRACED_MAX; i++) {
        if (tracer->traced[i].pid == pid)
            return &tracer->traced[i];
        if (tracer->traced[i].pid == 0 && room == NULL)
            room = &tracer->traced[i];
    }
    if (room == NULL)
        abort();
    *room = (struct traced){.pid = pid, .role = ROLE_OTHER};
    return room;
}

static enum role executed(pid_t pid)
{
    char path[40], words[512] = "";
    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? 0 : read(fd, words, sizeof(words) - 1);
    if (fd >= 0)
        (void)close(fd);
    const char *slash = strrchr(words, '/');
    const char *program = slash == NULL ? words : slash + 1;
    if (bytes > 0 && strcmp(program, "batchd") == 0)
        return ROLE_DAEMON;
    if (bytes > 0 && strcmp(program, "batchd-worker") == 0)
        return strcmp(words + strlen(words) + 1, "--worker") == 0 ? ROLE_WORKER : ROLE_SPAWNER;
    if (bytes > 0 && (strcmp(program, "batchd-job") == 0 || strcmp(program, "batchctl") == 0))
        return ROLE_STEP;
    return ROLE_OTHER;
}

/* Opening to read and locks that are only asked about change nothing. */
static const struct change *change_of(const struct __ptrace_syscall_info *info)
{
    const uint64_t writes = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    long number = (long)info->entry.nr;
    if ((number == SYS_openat && (info->entry.args[2] & writes) == 0) ||
        (number == SYS_open && (info->entry.args[1] & writes) == 0) ||
        (number == SYS_fcntl && info->entry.args[1] != F_SETLK))
        return NULL;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        if (changes[i].number == number)
            return &changes[i];
    }
    return NULL;
}

static void write_report(const struct tracer *tracer, const char *hit)
{
    FILE *file = fopen(tracer->report, "w");
    if (file != NULL) {
        (void)fprintf(file, "%llu %s\n", (unsigned long long)tracer->count, hit);
        (void)fclose(file);
    }
}

/* `pending`: what each process is in the middle of, so that the exit is known to be of it. */
static void at_call(struct tracer *tracer, const struct traced *traced)
{
    static const struct change *pending[TRACED_MAX];
    const struct change **mine = &pending[traced - tracer->traced];
    struct __ptrace_syscall_info info = {0};
    if (traced->role != tracer->wanted ||
        ptrace(PTRACE_GET_SYSCALL_INFO, traced->pid, sizeof(info), &info) < 0)
        return;
    bool entry = info.op == PTRACE_SYSCALL_INFO_ENTRY;
    const struct change *change = entry ? change_of(&info) : *mine;
    *mine = entry ? change : NULL;
    if (change == NULL || entry == tracer->at_exit)
        return;
    if (++tracer->count == tracer->nth) {
        write_report(tracer, change->name);
        (void)kill(traced->pid, SIGKILL);
    }
}

static void make_known(struct traced *traced, enum role role)
{
    traced->role = role;
    traced->known = true;
    if (traced->waits)
        (void)ptrace(PTRACE_SYSCALL, traced->pid, NULL, NULL);
    traced->waits = false;
}

/* What stopped it; the signal that it is to get, or -1 when it was let go. */
static int at_stop(struct tracer *tracer, struct traced *traced, int status)
{
    int event = status >> 16, number = WSTOPSIG(status);
    unsigned long message = 0;
    if (number == (SIGTRAP | 0x80)) {
        at_call(tracer, traced);
        return 0;
    }
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
        if (ptrace(PTRACE_GETEVENTMSG, traced->pid, NULL, &message) == 0)
            make_known(find(tracer, (pid_t)message), traced->role);
    } else if (event == PTRACE_EVENT_EXEC) {
        traced->role = executed(traced->pid);
        if (traced->role == ROLE_OTHER) {
            (void)ptrace(PTRACE_DETACH, traced->pid, NULL, NULL);
            traced->pid = 0;
            return -1;
        }
    } else if (event == PTRACE_EVENT_STOP && (number == SIGSTOP || number == SIGTSTP)) {
        (void)ptrace(PTRACE_LISTEN, traced->pid, NULL, NULL); /* a true stop */
        return -1;
    }
    return event == 0 ? number : 0;
}

static int follow(struct tracer *tracer)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0)
            return 0;
        struct traced *traced = find(tracer, pid);
        if (!WIFSTOPPED(status)) {
            traced->pid = 0;
            if (pid == tracer->root)
                return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
            continue;
        }
        if (!traced->known) {
            traced->waits = true;
            continue;
        }
        long number = at_stop(tracer, traced, status);
        if (number >= 0)
            (void)ptrace(PTRACE_SYSCALL, pid, NULL, (void *)number);
    }
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 64;
    struct tracer tracer = {.wanted = role_of(argv[1]),
                            .nth = strtoull(argv[2], NULL, 10),
                            .at_exit = strcmp(argv[3], "exit") == 0,
                            .report = argv[4]};
    tracer.root = fork();
    if (tracer.root == 0) {
        (void)raise(SIGSTOP);
        (void)execv(argv[5], argv + 5);
        _exit(127);
    }
    int status;
    (void)signal(SIGTERM, SIG_IGN);
    (void)waitpid(tracer.root, &status, WUNTRACED);
    make_known(find(&tracer, tracer.root), ROLE_OTHER);
    if (ptrace(PTRACE_SEIZE, tracer.root, NULL, OPTIONS) < 0) {
        perror("syskill: ptrace");
        (void)kill(tracer.root, SIGKILL);
        return 69;
    }
    (void)kill(tracer.root, SIGCONT);
    int code = follow(&tracer);
    if (tracer.nth == 0 || tracer.count < tracer.nth)
        write_report(&tracer, "-");
    return code;
}
