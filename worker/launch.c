#include "worker/launch.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "worker/cgroup.h"
#include "worker/worker.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>

int launch_open_folder(const struct spawner_options *options, const char *name)
{
    struct stat found;
    mode_t mode = options->group == (gid_t)-1 ? 0700 : 0750;
    if (mkdir(name, mode) < 0 && errno != EEXIST)
        return -1;
    CLEANUP_CLOSE int fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &found) < 0)
        return -1;
    if (found.st_uid != geteuid()) {
        errno = EPERM;
        return -1;
    }
    if (options->group != (gid_t)-1 && fchown(fd, (uid_t)-1, options->group) < 0)
        return -1;
    return TAKE_FD(fd);
}

int launch_listen(const struct spawner_options *options, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlink(name);
    mode_t saved = umask(options->group == (gid_t)-1 ? 0177 : 0117);
    int result = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&address, sizeof(address));
    (void)umask(saved);
    if (result < 0 || listen(fd, 16) < 0)
        return -1;
    if (options->group != (gid_t)-1 && lchown(name, (uid_t)-1, options->group) < 0)
        return -1;
    return TAKE_FD(fd);
}

struct worker_files {
    int lock_fd, log_fd, listen_fd;
    char *cgroup; /* owned; NULL: it has none */
};

static int make_file(const struct spawner_options *options, const char *folder, const char *name,
                     int flags)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | flags,
                                options->group == (gid_t)-1 ? 0600 : 0640);
    if (fd >= 0 && options->group != (gid_t)-1 && fchown(fd, (uid_t)-1, options->group) < 0)
        return -1;
    return TAKE_FD(fd);
}

/* The folder is new (O_EXCL in effect), so no id is used twice; the lock is taken before the fork.
 */
static int make_files(const struct spawner_options *options, uint64_t id, struct worker_files *ret)
{
    char folder[32];
    char sock[48];
    (void)snprintf(folder, sizeof(folder), "%llu", (unsigned long long)id);
    (void)snprintf(sock, sizeof(sock), "%s/sock", folder);
    *ret = (struct worker_files){-1, -1, -1, NULL};
    if (mkdir(folder, options->group == (gid_t)-1 ? 0700 : 0750) < 0)
        return -1;
    if (options->group != (gid_t)-1 && lchown(folder, (uid_t)-1, options->group) < 0)
        return -1;
    ret->lock_fd = make_file(options, folder, "lock", 0);
    if (ret->lock_fd < 0 || flock(ret->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return -1;
    ret->log_fd = make_file(options, folder, "log", O_APPEND);
    ret->listen_fd = launch_listen(options, sock);
    return ret->log_fd < 0 || ret->listen_fd < 0 ? -1 : 0;
}

static void number_of(unsigned id, char text[16])
{
    (void)snprintf(text, 16, id == UINT_MAX ? "-1" : "%u", id);
}

__attribute__((noreturn)) static void exec_program(const struct spawner_options *options,
                                                   uint64_t id)
{
    char number[24], group[16], front[16];
    const char *argv[] = {"batchd-worker", "--worker", number, "--group", group,
                          "--front-uid",   front,      NULL,   NULL,      NULL};
    int argc = 7;
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)id);
    number_of(options->group, group);
    number_of(options->front_uid, front);
    if (options->system_mode)
        argv[argc++] = "--system";
    if (options->allow_setuid)
        argv[argc] = "--allow-setuid";
    (void)execv(options->program, (char *const *)(uintptr_t)argv);
    _exit(EX_OSERR);
}

/* In the child: the worker's descriptors at their places, nothing else of ours. A worker that
 * cannot enter its control group must not be: an empty group would prove a living tree dead. */
__attribute__((noreturn)) static void exec_worker(const struct launcher *launcher, uint64_t id,
                                                  const struct worker_files *files)
{
    const int wanted[] = {files->lock_fd, files->log_fd, files->listen_fd, launcher->jobs_fd,
                          launcher->users_fd};
    const int count = launcher->users_fd >= 0 ? 5 : 4;
    int high[5];
    if (files->cgroup != NULL && cgroup_enter(files->cgroup) < 0)
        _exit(EX_OSERR);
    for (int i = 0; i < count; i++)
        high[i] = fcntl(wanted[i], F_DUPFD, 32);
    for (int i = 0; i < count; i++) {
        if (high[i] < 0 || dup2(high[i], WORKER_FD_LOCK + i) < 0)
            _exit(EX_OSERR);
    }
    (void)close_range((unsigned)(WORKER_FD_LOCK + count), ~0U, 0);
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGHUP, SIG_DFL);
    if (chdir("/") < 0)
        _exit(EX_OSERR);
    exec_program(launcher->options, id);
}

/* Its own control group, with a file that tells a later spawner which it is. NULL: it has none. */
static char *make_cgroup(const struct launcher *launcher, uint64_t id)
{
    CLEANUP_FREE char *group = cgroup_make(launcher->cgroup, id, launcher->cpus);
    char folder[32];
    if (group == NULL)
        return NULL;
    (void)snprintf(folder, sizeof(folder), "%llu", (unsigned long long)id);
    CLEANUP_CLOSE int fd = make_file(launcher->options, folder, "cgroup", 0);
    if (fd >= 0 && fd_write_all(fd, group, strlen(group)) == 0)
        return TAKE_PTR(group);
    cgroup_remove(group);
    return NULL;
}

int launch_worker(const struct launcher *launcher, uint64_t id, struct launched *ret)
{
    struct worker_files files;
    int made = make_files(launcher->options, id, &files);
    if (made == 0)
        files.cgroup = make_cgroup(launcher, id);
    pid_t pid = made < 0 ? -1 : fork();
    if (pid == 0)
        exec_worker(launcher, id, &files);
    int saved = errno;
    cleanup_close(&files.listen_fd);
    if (pid < 0) {
        cleanup_close(&files.lock_fd);
        cleanup_close(&files.log_fd);
        free(files.cgroup);
        errno = saved;
        return -1;
    }
    *ret = (struct launched){
        .pid = pid, .lock_fd = files.lock_fd, .log_fd = files.log_fd, .cgroup = files.cgroup};
    return 0;
}
