#include "worker/spawner.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/worker_folder.h"
#include "common/worker_protocol.h"
#include "worker/cgroup.h"
#include "worker/fleet.h"
#include "worker/job_folder.h"
#include "worker/link.h"
#include "worker/notify.h"
#include "worker/tree.h"
#include "worker/user_folder.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

#define LINKS_MAX 8
/* Without workers and without batchd a detached spawner leaves. */
#define IDLE_EXIT_US (60 * US_PER_SECOND)
#define IDLE_LOOK_MS 5000
#define SWEEP_MS 5
/* A worker gives its job 5 s, the checkpoint behind it 20 and the removal of its outputs 10
 * (worker.c, job_behind.c). */
#define SHUTDOWN_KILL_US (40 * US_PER_SECOND)

struct child {
    struct child *next;
    uint64_t id;
    pid_t pid; /* 0: dead, its tree is being swept */
    int lock_fd, log_fd;
    char *cgroup; /* owned; NULL: it has none */
    bool asked;   /* of an earlier spawner; batchd waits for SWEEP_DONE */
};

struct spawner {
    struct spawner_options options;
    int lock_fd, listen_fd, signal_fd, jobs_fd;
    int users_fd;         /* of their checkpoints (user_folder.h); -1 in user mode */
    char *cgroup;         /* below which workers have theirs; NULL: they have none */
    struct cpu_list cpus; /* that we have, for the next of these groups; empty: any */
    struct link links[LINKS_MAX];
    struct child *children;
    int64_t busy_at;   /* when there was last something to do */
    int64_t kill_at;   /* terminating: when the rest is killed; 0: not terminating */
    bool handing_over; /* SIGUSR1: leave, the workers go on without us */
};

/* The unit that has them may have been started since, or anew. */
static void look_for_groups(struct spawner *spawner)
{
    if (spawner->cgroup != NULL && access(spawner->cgroup, F_OK) == 0)
        return;
    free(spawner->cgroup);
    spawner->cgroup = cgroup_base(spawner->options.system_mode);
}

static int spawn(struct spawner *spawner, uint64_t id)
{
    look_for_groups(spawner);
    cgroup_own_cpus(spawner->cgroup, &spawner->cpus); /* AllowedCPUs= may be another by now */
    const struct launcher launcher = {.options = &spawner->options,
                                      .jobs_fd = spawner->jobs_fd,
                                      .users_fd = spawner->users_fd,
                                      .cgroup = spawner->cgroup,
                                      .cpus = &spawner->cpus};
    struct launched made;
    if (launch_worker(&launcher, id, &made) < 0)
        return -1;
    struct child *child = xcalloc(1, sizeof(*child));
    *child = (struct child){.next = spawner->children,
                            .id = id,
                            .pid = made.pid,
                            .lock_fd = made.lock_fd,
                            .log_fd = made.log_fd,
                            .cgroup = made.cgroup};
    spawner->children = child;
    return 0;
}

/* ---- the dead ---- */

static struct child *child_of(const struct spawner *spawner, pid_t pid)
{
    struct child *child = spawner->children;
    while (child != NULL && child->pid != pid)
        child = child->next;
    return child;
}

/* Whatever is our child and no worker fell to us from a dead worker. */
static bool is_worker(void *arg, pid_t pid)
{
    return child_of(arg, pid) != NULL;
}

static void tell_all(struct spawner *spawner, enum worker_message type, uint64_t id)
{
    for (int i = 0; i < LINKS_MAX; i++) {
        if (spawner->links[i].fd >= 0) {
            put_worker_id(&spawner->links[i].out, type, id);
            link_flush(&spawner->links[i]);
        }
    }
}

static void note_swept(struct spawner *spawner, struct child *child)
{
    struct record_writer writer = {0};
    put_empty(&writer, LOG_SWEPT);
    if (fd_write_all(child->log_fd, writer.data, writer.used) < 0)
        log_error("worker %llu: its log takes no record: %s", (unsigned long long)child->id,
                  strerrordesc_np(errno));
    record_writer_done(&writer);
    if (child->cgroup != NULL)
        cgroup_remove(child->cgroup);
    (void)close(child->log_fd);
    (void)close(child->lock_fd); /* from now on its death can be seen */
    if (child->asked)
        tell_all(spawner, MESSAGE_SWEEP_DONE, child->id);
    free(child->cgroup);
    free(child);
}

/* True when a control group is not empty yet. */
static bool forget_swept(struct spawner *spawner)
{
    struct child **link = &spawner->children;
    bool left = false;
    while (*link != NULL) {
        struct child *child = *link;
        bool alive = child->pid != 0 || (child->cgroup != NULL && cgroup_sweep(child->cgroup) == 0);
        left = left || (alive && child->pid == 0);
        if (alive) {
            link = &child->next;
        } else {
            *link = child->next;
            note_swept(spawner, child);
        }
    }
    return left;
}

/* Reaps, then sweeps what the dead left. True when it has to be called again soon. */
static bool bury(struct spawner *spawner)
{
    bool dead = false;
    pid_t pid;
    int status;
    while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
        struct child *child = child_of(spawner, pid);
        if (child == NULL)
            continue;
        child->pid = 0;
        if (status != 0)
            log_warning("worker %llu died: %s %d", (unsigned long long)child->id,
                        WIFSIGNALED(status) ? "signal" : "exit",
                        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    for (const struct child *child = spawner->children; child != NULL; child = child->next)
        dead = dead || child->pid == 0;
    if (!dead)
        return false;
    return tree_kill(is_worker, spawner) || forget_swept(spawner);
}

/* ---- requests ---- */

/* The tree of a worker that outlived the spawner that made it, and is dead: only its control group
 * still knows it. -1: there is nothing to do, or it cannot be done. */
static int begin_sweep(struct spawner *spawner, uint64_t id)
{
    CLEANUP_CLOSE int folder = worker_folder_open(AT_FDCWD, id);
    CLEANUP_CLOSE int lock = folder < 0 ? -1 : worker_folder_lock(folder);
    CLEANUP_CLOSE int log =
        lock < 0 ? -1 : openat(folder, "log", O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    CLEANUP_FREE char *group = log < 0 ? NULL : fd_read_file(folder, "cgroup", PATH_MAX, NULL);
    if (group == NULL || group[0] != '/' || cgroup_sweep(group) < 0)
        return -1;
    struct child *child = xcalloc(1, sizeof(*child));
    *child = (struct child){.next = spawner->children,
                            .id = id,
                            .lock_fd = TAKE_FD(lock),
                            .log_fd = TAKE_FD(log),
                            .cgroup = TAKE_PTR(group),
                            .asked = true};
    spawner->children = child;
    return 0;
}

static void answer_spawn(struct spawner *spawner, struct link *link, uint64_t id)
{
    char text[200];
    if (spawner->kill_at == 0 && spawn(spawner, id) == 0) {
        put_worker_id(&link->out, MESSAGE_SPAWNED, id);
        return;
    }
    (void)snprintf(text, sizeof(text), "%s",
                   spawner->kill_at != 0 ? "the spawner is ending" : strerrordesc_np(errno));
    put_spawn_failed(&link->out, id, text);
}

static void answer(struct spawner *spawner, struct link *link, struct record *record)
{
    struct job_folders folders;
    uint64_t id;
    if (record->type == MESSAGE_SPAWN && get_spawn(record, &id) == 0) {
        answer_spawn(spawner, link, id);
    } else if (record->type == MESSAGE_REMOVE && get_worker_id(record, &id) == 0) {
        if (worker_folder_remove(AT_FDCWD, id) < 0)
            log_warning("the folder of worker %llu is not removed: %s", (unsigned long long)id,
                        strerrordesc_np(errno));
    } else if (record->type == MESSAGE_SWEEP && get_worker_id(record, &id) == 0) {
        if (begin_sweep(spawner, id) < 0)
            put_worker_id(&link->out, MESSAGE_SWEEP_DONE, id);
    } else if (record->type == MESSAGE_REMOVE_JOBS && get_job_folders(record, &folders) == 0) {
        job_folders_remove(spawner->jobs_fd, spawner->users_fd, &folders);
        put_job_folders(&link->out, MESSAGE_JOBS_REMOVED, &folders);
    } else {
        log_error("an unknown request of type %u", record->type);
    }
}

static void serve(struct spawner *spawner, struct link *link)
{
    struct record record;
    enum record_status status;
    link_read(link);
    while ((status = link_next(link, &record)) == RECORD_OK)
        answer(spawner, link, &record);
    link_flush(link);
    if (status == RECORD_BAD || link->ended)
        link_close(link);
}

static void accept_link(struct spawner *spawner)
{
    CLEANUP_CLOSE int fd = link_accept(spawner->listen_fd, spawner->options.front_uid);
    for (int i = 0; fd >= 0 && i < LINKS_MAX; i++) {
        if (spawner->links[i].fd < 0) {
            link_open(&spawner->links[i], TAKE_FD(fd));
            return;
        }
    }
}

/* ---- the loop ---- */

static void begin_end(struct spawner *spawner)
{
    spawner->kill_at = clock_monotonic_us() + SHUTDOWN_KILL_US;
    for (const struct child *child = spawner->children; child != NULL; child = child->next) {
        if (child->pid > 0)
            (void)kill(child->pid, SIGTERM);
    }
    fleet_terminate(spawner->cgroup, spawner->options.program);
}

static void on_signals(struct spawner *spawner)
{
    struct signalfd_siginfo info;
    while (read(spawner->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGUSR1)
            spawner->handing_over = true;
        if (info.ssi_signo == SIGTERM && spawner->kill_at == 0)
            begin_end(spawner);
    }
}

/* True when no worker is left, of ours or of an earlier spawner's. */
static bool all_ended(const struct spawner *spawner, int64_t now)
{
    bool late = now > spawner->kill_at;
    for (const struct child *child = spawner->children; child != NULL && late;
         child = child->next) {
        if (child->pid > 0)
            (void)kill(child->pid, SIGKILL);
    }
    if (late)
        (void)fleet_kill(spawner->cgroup);
    return spawner->children == NULL && !fleet_alive(spawner->cgroup);
}

static bool leaving(struct spawner *spawner)
{
    int64_t now = clock_monotonic_us();
    bool linked = false;
    if (spawner->kill_at != 0)
        return all_ended(spawner, now);
    for (int i = 0; i < LINKS_MAX; i++)
        linked = linked || spawner->links[i].fd >= 0;
    if (spawner->children != NULL || linked)
        spawner->busy_at = now;
    return spawner->handing_over ||
           (!spawner->options.foreground && now - spawner->busy_at > IDLE_EXIT_US);
}

static void turn(struct spawner *spawner, int wait_ms)
{
    struct pollfd fds[2 + LINKS_MAX];
    fds[0] = (struct pollfd){.fd = spawner->signal_fd, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = spawner->listen_fd, .events = POLLIN};
    for (int i = 0; i < LINKS_MAX; i++)
        fds[2 + i] =
            (struct pollfd){.fd = spawner->links[i].fd, .events = link_events(&spawner->links[i])};
    if (poll(fds, 2 + LINKS_MAX, wait_ms) <= 0)
        return;
    if (fds[0].revents != 0)
        on_signals(spawner);
    for (int i = 0; i < LINKS_MAX; i++) {
        if (fds[2 + i].revents != 0)
            serve(spawner, &spawner->links[i]);
    }
    if (fds[1].revents != 0)
        accept_link(spawner);
}

/* ---- beginning ---- */

static int prepare(struct spawner *spawner)
{
    struct error err;
    sigset_t wanted;
    if (spawner->options.group != (gid_t)-1)
        (void)umask(0027); /* what we make is for us, and for batchd's group to read */
    if (chdir(spawner->options.state_dir) < 0)
        return -1;
    spawner->jobs_fd = launch_open_folder(&spawner->options, "jobs");
    if (spawner->options.system_mode && (spawner->users_fd = user_folders_open()) < 0)
        return -1;
    CLEANUP_CLOSE int workers_fd = launch_open_folder(&spawner->options, "workers");
    if (spawner->jobs_fd < 0 || workers_fd < 0 || fchdir(workers_fd) < 0)
        return -1;
    if (fd_lock_file(AT_FDCWD, "spawner.lock", &spawner->lock_fd, &err) < 0) {
        errno = err.code == ERROR_BUSY ? EBUSY : err.saved_errno;
        return -1;
    }
    spawner->listen_fd = launch_listen(&spawner->options, "spawner.sock");
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)prctl(PR_SET_NAME, "batchd-spawner");
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGCHLD);
    (void)sigaddset(&wanted, SIGTERM);
    (void)sigaddset(&wanted, SIGUSR1);
    (void)sigprocmask(SIG_SETMASK, &wanted, NULL);
    spawner->signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    spawner->busy_at = clock_monotonic_us();
    look_for_groups(spawner);
    return spawner->listen_fd < 0 || spawner->signal_fd < 0 ? -1 : 0;
}

/* A new session, not its leader, standard streams at /dev/null; stderr stays when it is a file. */
static int detach(void)
{
    struct stat streams;
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return -1;
        if (pid > 0)
            _exit(EX_OK);
        if (i == 0 && setsid() < 0)
            return -1;
    }
    CLEANUP_CLOSE int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0)
        return -1;
    if (fstat(2, &streams) < 0 || !S_ISREG(streams.st_mode))
        return dup2(null_fd, 2);
    return 0;
}

int spawner_run(const struct spawner_options *options)
{
    struct spawner spawner = {.options = *options,
                              .lock_fd = -1,
                              .listen_fd = -1,
                              .signal_fd = -1,
                              .jobs_fd = -1,
                              .users_fd = -1};
    for (int i = 0; i < LINKS_MAX; i++)
        spawner.links[i].fd = -1;
    if (!options->foreground && detach() < 0)
        return EX_OSERR;
    if (prepare(&spawner) < 0) {
        if (errno != EBUSY)
            log_error("the spawner cannot use %s: %s", options->state_dir, strerrordesc_np(errno));
        return errno == EBUSY ? EX_TEMPFAIL : EX_IOERR;
    }
    notify_ready();
    for (;;) {
        int wait_ms = bury(&spawner) ? SWEEP_MS : IDLE_LOOK_MS;
        if (leaving(&spawner))
            break;
        turn(&spawner, spawner.kill_at != 0 && wait_ms > 100 ? 100 : wait_ms);
    }
    (void)unlink("spawner.sock");
    free(spawner.cgroup);
    return EX_OK;
}
