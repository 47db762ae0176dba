#include "worker/cgroup.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MOUNT "/sys/fs/cgroup"
#define NAME_BYTES 32
#define FILE_BYTES 4096U

static void name_of(uint64_t worker, char name[NAME_BYTES])
{
    (void)snprintf(name, NAME_BYTES, "worker-%llu", (unsigned long long)worker);
}

int cgroup_open_own(void)
{
    /* "0::/system.slice/batchd-worker.service" is the unified hierarchy's line. */
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, "/proc/self/cgroup", FILE_BYTES, NULL);
    char path[FILE_BYTES + sizeof(MOUNT)];
    char *line = text;
    while (line != NULL && strncmp(line, "0::/", 4) != 0) {
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    if (line == NULL)
        return -1;
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, "0::/") == 0) /* the root is nobody's to divide */
        return -1;
    (void)snprintf(path, sizeof(path), MOUNT "%s", line + 3);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_worker(int own_fd, uint64_t worker)
{
    char name[NAME_BYTES];
    name_of(worker, name);
    return own_fd < 0 ? -1 : openat(own_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int cgroup_make(int own_fd, uint64_t worker)
{
    char name[NAME_BYTES];
    name_of(worker, name);
    if (own_fd < 0 || (mkdirat(own_fd, name, 0755) < 0 && errno != EEXIST))
        return -1;
    CLEANUP_CLOSE int fd = open_worker(own_fd, worker);
    return fd < 0 ? -1 : openat(fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
}

int cgroup_enter(int procs_fd)
{
    return write(procs_fd, "0", 1) == 1 ? 0 : -1;
}

int cgroup_sweep(int own_fd, uint64_t worker)
{
    CLEANUP_CLOSE int folder = open_worker(own_fd, worker);
    if (folder < 0)
        return -1;
    CLEANUP_FREE char *events = fd_read_file(folder, "cgroup.events", FILE_BYTES, NULL);
    if (events == NULL)
        return -1;
    if (strstr(events, "populated 0") != NULL)
        return 1;
    CLEANUP_CLOSE int killer = openat(folder, "cgroup.kill", O_WRONLY | O_CLOEXEC);
    return killer < 0 || write(killer, "1", 1) != 1 ? -1 : 0;
}

void cgroup_remove(int own_fd, uint64_t worker)
{
    char name[NAME_BYTES];
    name_of(worker, name);
    if (own_fd >= 0)
        (void)unlinkat(own_fd, name, AT_REMOVEDIR);
}
