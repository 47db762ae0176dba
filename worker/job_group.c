#include "worker/job_group.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"
#include "worker/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES 4096U
/* Of the processes and threads that there may be on the machine: what systemd gives a unit. */
#define PIDS_PERCENT 15

struct job_group {
    const char *name; /* in the worker's; borrowed */
    int parent_fd;    /* the worker's; -1: it has none */
    int fd;           /* its own; -1: there is none now */
};

struct job_group *job_group_new(const char *worker_group, const char *name)
{
    struct job_group *group = xcalloc(1, sizeof(*group));
    group->name = name;
    group->fd = -1;
    group->parent_fd =
        worker_group == NULL ? -1 : open(worker_group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return group;
}

void job_group_free(struct job_group *group)
{
    if (group == NULL)
        return;
    cleanup_close(&group->fd);
    cleanup_close(&group->parent_fd);
    free(group);
}

/* ---- the files of a group ---- */

static int put(const struct job_group *group, const char *file, const char *value)
{
    CLEANUP_CLOSE int fd = openat(group->fd, file, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -1 : fd_write_all(fd, value, strlen(value));
}

static uint64_t read_number(int dirfd, const char *file)
{
    CLEANUP_FREE char *text = fd_read_file(dirfd, file, FILE_BYTES, NULL);
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

/* "NAME NUMBER" on a line of its own; 0 when it is not there. */
static uint64_t read_entry(const struct job_group *group, const char *file, const char *name)
{
    CLEANUP_FREE char *text = fd_read_file(group->fd, file, FILE_BYTES, NULL);
    size_t length = strlen(name);
    for (const char *line = text; line != NULL && *line != '\0';) {
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            return strtoull(line + length, NULL, 10);
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return 0;
}

/* ---- its life ---- */

static uint64_t pids_max(void)
{
    uint64_t pids = read_number(AT_FDCWD, "/proc/sys/kernel/pid_max");
    uint64_t threads = read_number(AT_FDCWD, "/proc/sys/kernel/threads-max");
    return (pids < threads ? pids : threads) * PIDS_PERCENT / 100;
}

static void set_limits(const struct job_group *group, uint64_t memory_bytes)
{
    char number[24];
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)pids_max());
    (void)put(group, "pids.max", number);
    (void)put(group, "memory.oom.group", "1");
    if (memory_bytes == 0)
        return;
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)memory_bytes);
    (void)put(group, "memory.max", number);
}

void job_group_begin(struct job_group *group, uint64_t memory_bytes)
{
    if (group->parent_fd < 0)
        return;
    cleanup_close(&group->fd);
    group->fd = -1;
    (void)unlinkat(group->parent_fd, group->name, AT_REMOVEDIR);
    if (mkdirat(group->parent_fd, group->name, 0755) < 0 && errno != EEXIST) {
        log_warning("a job has no control group: %s", strerrordesc_np(errno));
        return;
    }
    group->fd = openat(group->parent_fd, group->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group->fd >= 0)
        set_limits(group, memory_bytes);
}

int job_group_fd(const struct job_group *group)
{
    return group->fd;
}

bool job_group_freeze(const struct job_group *group, bool frozen)
{
    return group->fd >= 0 && put(group, "cgroup.freeze", frozen ? "1" : "0") == 0;
}

bool job_group_kill(const struct job_group *group)
{
    return group->fd >= 0 && put(group, "cgroup.kill", "1") == 0;
}

bool job_group_usage(const struct job_group *group, struct job_exit *end)
{
    if (group->fd < 0)
        return false;
    uint64_t peak = read_number(group->fd, "memory.peak");
    uint64_t user_us = read_entry(group, "cpu.stat", "user_usec");
    uint64_t system_us = read_entry(group, "cpu.stat", "system_usec");
    if (peak > 0)
        end->max_rss_bytes = peak;
    if (user_us + system_us > 0) {
        end->user_us = user_us;
        end->system_us = system_us;
    }
    return read_entry(group, "memory.events", "oom_kill") > 0;
}

void job_group_end(struct job_group *group)
{
    if (group->fd < 0)
        return;
    cleanup_close(&group->fd);
    group->fd = -1;
    (void)unlinkat(group->parent_fd, group->name, AT_REMOVEDIR);
}
