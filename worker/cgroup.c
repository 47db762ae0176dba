#include "worker/cgroup.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define MOUNT "/sys/fs/cgroup"
#define FILE_BYTES 4096U

/* Without this a group's absence says nothing. */
static bool mounted(void)
{
    struct statfs found;
    return statfs(MOUNT, &found) == 0 && found.f_type == CGROUP2_SUPER_MAGIC;
}

char *cgroup_own(void)
{
    /* "0::/system.slice/batchd-worker.service" is the unified hierarchy's line. */
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, "/proc/self/cgroup", FILE_BYTES, NULL);
    char *line = text;
    while (line != NULL && strncmp(line, "0::/", 4) != 0) {
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    if (line == NULL || !mounted())
        return NULL;
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, "0::/") == 0) /* the root is nobody's to divide */
        return NULL;
    return xasprintf(MOUNT "%s", line + 3);
}

char *cgroup_make(const char *own, uint64_t worker)
{
    if (own == NULL)
        return NULL;
    CLEANUP_FREE char *group = xasprintf("%s/worker-%llu", own, (unsigned long long)worker);
    return mkdir(group, 0755) < 0 && errno != EEXIST ? NULL : TAKE_PTR(group);
}

static int open_in(const char *group, const char *name, int flags)
{
    CLEANUP_CLOSE int folder = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? -1 : openat(folder, name, flags | O_CLOEXEC);
}

int cgroup_enter(const char *group)
{
    CLEANUP_CLOSE int fd = open_in(group, "cgroup.procs", O_WRONLY);
    return fd >= 0 && write(fd, "0", 1) == 1 ? 0 : -1;
}

bool cgroup_populated(const char *group)
{
    CLEANUP_FREE char *path = xasprintf("%s/cgroup.events", group);
    CLEANUP_FREE char *events = fd_read_file(AT_FDCWD, path, FILE_BYTES, NULL);
    return events != NULL && strstr(events, "populated 1") != NULL;
}

int cgroup_sweep(const char *group)
{
    CLEANUP_CLOSE int folder = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return errno == ENOENT && mounted() ? 1 : -1;
    CLEANUP_FREE char *events = fd_read_file(folder, "cgroup.events", FILE_BYTES, NULL);
    if (events == NULL)
        return errno == ENODEV && mounted() ? 1 : -1; /* removed since it was opened */
    if (strstr(events, "populated 0") != NULL)
        return 1;
    CLEANUP_CLOSE int killer = openat(folder, "cgroup.kill", O_WRONLY | O_CLOEXEC);
    return killer < 0 || write(killer, "1", 1) != 1 ? -1 : 0;
}

void cgroup_remove(const char *group)
{
    (void)rmdir(group);
}
