#include "worker/fleet.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "worker/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

/* One pid, the worker's. */
#define PIDS_BYTES_MAX 4096U

typedef bool (*group_fn)(const char *group, const char *program);

/* Calls `each` for every worker's group; true when one of the calls was. */
static bool any_group(const char *own, group_fn each, const char *program)
{
    static const char prefix[] = "worker-";
    DIR *folder = own == NULL ? NULL : opendir(own);
    const struct dirent *entry;
    bool any = false;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, prefix, sizeof(prefix) - 1) != 0)
            continue;
        CLEANUP_FREE char *group = xasprintf("%s/%s", own, entry->d_name);
        any = each(group, program) || any;
    }
    if (folder != NULL)
        (void)closedir(folder);
    return any;
}

/* A process of ours that executes our program; "(deleted)" stands behind it after an upgrade. */
static bool is_worker(long pid, const char *program)
{
    CLEANUP_FREE char *folder = xasprintf("/proc/%ld", pid);
    CLEANUP_FREE char *link = xasprintf("/proc/%ld/exe", pid);
    char target[PATH_MAX];
    struct stat found;
    ssize_t length = readlink(link, target, sizeof(target) - 1);
    if (length < 0 || stat(folder, &found) < 0 || found.st_uid != geteuid())
        return false;
    target[length] = '\0';
    size_t same = strlen(program);
    return strncmp(target, program, same) == 0 && (target[same] == '\0' || target[same] == ' ');
}

/* The descriptor is taken before the look, so that the look and the signal mean the same process.
 */
static void terminate_if_worker(long pid, const char *program)
{
    CLEANUP_CLOSE int fd = pidfd_open((pid_t)pid, 0);
    if (fd >= 0 && is_worker(pid, program))
        (void)pidfd_send_signal(fd, SIGTERM, NULL, 0);
}

static bool terminate(const char *group, const char *program)
{
    CLEANUP_FREE char *path = xasprintf("%s/" CGROUP_WORKER_NAME "/cgroup.procs", group);
    CLEANUP_FREE char *pids = fd_read_file(AT_FDCWD, path, PIDS_BYTES_MAX, NULL);
    for (char *at = pids; at != NULL && *at != '\0';) {
        char *end;
        long pid = strtol(at, &end, 10);
        if (end == at)
            break;
        terminate_if_worker(pid, program);
        at = end + (*end == '\n');
    }
    return false;
}

static bool kill_group(const char *group, const char *program)
{
    (void)program;
    return cgroup_sweep(group) == 0;
}

/* One that is empty goes: who made it may be dead. */
static bool populated(const char *group, const char *program)
{
    (void)program;
    if (cgroup_populated(group))
        return true;
    cgroup_remove(group);
    return false;
}

void fleet_terminate(const char *own_group, const char *program)
{
    (void)any_group(own_group, terminate, program);
}

bool fleet_kill(const char *own_group)
{
    return any_group(own_group, kill_group, NULL);
}

bool fleet_alive(const char *own_group)
{
    return any_group(own_group, populated, NULL);
}
