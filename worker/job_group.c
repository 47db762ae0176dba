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
#define BFQ_WEIGHT_MAX 1000U

/* What the kernel counts in a group as long as it is there. */
struct counts {
    uint64_t cpu_us, user_us, system_us, peak_bytes, oom_kills;
};

struct job_group {
    const char *name;               /* in the worker's; borrowed */
    int parent_fd;                  /* the worker's; -1: it has none */
    int fd;                         /* its own; -1: there is none now */
    uint32_t cpu_weight, io_weight; /* of the worker's, as we wrote them last; 0: we did not */
    bool again;                     /* it could not be removed behind the job before */
    struct counts before;           /* and had counted so much then */
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

static int put_at(int dirfd, const char *file, const char *value)
{
    CLEANUP_CLOSE int fd = openat(dirfd, file, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -1 : fd_write_all(fd, value, strlen(value));
}

static int put(const struct job_group *group, const char *file, const char *value)
{
    return put_at(group->fd, file, value);
}

static int put_number(int dirfd, const char *file, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    return put_at(dirfd, file, text);
}

static uint64_t read_number(int dirfd, const char *file)
{
    CLEANUP_FREE char *text = fd_read_file(dirfd, file, FILE_BYTES, NULL);
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

/* "NAME NUMBER" on a line of its own; 0 when it is not there. `text` may be NULL. */
static uint64_t entry_of(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = text; line != NULL && *line != '\0';) {
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            return strtoull(line + length, NULL, 10);
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return 0;
}

static uint64_t read_entry(const struct job_group *group, const char *file, const char *name)
{
    CLEANUP_FREE char *text = fd_read_file(group->fd, file, FILE_BYTES, NULL);
    return entry_of(text, name);
}

static struct counts read_counts(const struct job_group *group)
{
    CLEANUP_FREE char *cpu = fd_read_file(group->fd, "cpu.stat", FILE_BYTES, NULL);
    CLEANUP_FREE char *memory = fd_read_file(group->fd, "memory.events", FILE_BYTES, NULL);
    return (struct counts){.cpu_us = entry_of(cpu, "usage_usec"),
                           .user_us = entry_of(cpu, "user_usec"),
                           .system_us = entry_of(cpu, "system_usec"),
                           .peak_bytes = read_number(group->fd, "memory.peak"),
                           .oom_kills = entry_of(memory, "oom_kill")};
}

/* 0 where it may be that of a job before: then it is not known. */
static uint64_t own_peak(const struct job_group *group, uint64_t peak_bytes)
{
    return peak_bytes > group->before.peak_bytes ? peak_bytes : 0;
}

/* ---- its life ---- */

/* Whoever the group belongs to may have made others in it, as containers do. */
static void remove_group(const struct job_group *group)
{
    if (unlinkat(group->parent_fd, group->name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return;
    CLEANUP_CLOSE int fd = openat(group->parent_fd, group->name, CGROUP_FOLDER);
    if (fd < 0)
        return;
    cgroup_remove_below(fd);
    (void)unlinkat(group->parent_fd, group->name, AT_REMOVEDIR);
}

/* 0: none, which a new one has. Of a controller that the group does not have there is no file: then
 * there is no such limit. */
static void limit(const struct job_group *group, const char *file, uint64_t most)
{
    if (most != 0)
        (void)put_number(group->fd, file, most);
    else if (group->again)
        (void)put(group, file, "max");
}

static void limit_memory(const struct job_group *group, uint64_t memory_bytes,
                         const struct job_limits *limits)
{
    const bool limited = memory_bytes != 0;
    (void)put(group, "memory.oom.group", "1");
    limit(group, "memory.high", limited ? limits->memory_high_bytes : 0);
    if (limited && limits->has_swap != 0)
        (void)put_number(group->fd, "memory.swap.max", limits->swap_bytes);
    else
        limit(group, "memory.swap.max", 0);
    limit(group, "memory.max", memory_bytes);
}

/* What hands controllers on may hold no process. */
static void reset(struct job_group *group)
{
    static const char *const handed_on[] = {"-memory", "-pids", "-cpu", "-io", "-cpuset"};
    for (size_t i = 0; i < sizeof(handed_on) / sizeof(handed_on[0]); i++)
        (void)put(group, "cgroup.subtree_control", handed_on[i]);
    CLEANUP_FREE char *left = fd_read_file(group->fd, "cgroup.subtree_control", FILE_BYTES, NULL);
    if (left != NULL && left[strspn(left, " \n")] != '\0')
        log_warning("the control group of a job before hands %.*s on: no other can run in it",
                    (int)strcspn(left, "\n"), left);
    (void)put(group, "cpu.max", "max");
    (void)put(group, "cpuset.cpus", "\n"); /* "" would be no write */
    (void)job_group_freeze(group, false);
    group->before = read_counts(group);
}

void job_group_begin(struct job_group *group, uint64_t memory_bytes,
                     const struct job_limits *limits)
{
    if (group->parent_fd < 0)
        return;
    cleanup_close(&group->fd);
    group->fd = -1;
    remove_group(group);
    group->before = (struct counts){.cpu_us = 0};
    group->again = mkdirat(group->parent_fd, group->name, 0755) < 0;
    if (group->again && errno != EEXIST) {
        log_warning("a job has no control group: %s", strerrordesc_np(errno));
        return;
    }
    group->fd = openat(group->parent_fd, group->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group->fd < 0)
        return;
    (void)fchmod(group->fd, 0755); /* whatever our umask is: its user may read it */
    if (group->again)
        reset(group);
    limit(group, "pids.max", limits->pids);
    limit_memory(group, memory_bytes, limits);
}

/* False: it is to be tried again. Where there is no such controller that would be of no use. */
static bool put_weight(const struct job_group *group, const char *file, uint32_t weight)
{
    return put_number(group->parent_fd, file, weight) == 0 || errno == ENOENT;
}

/* One file is of iocost and one of BFQ, which has weights up to 1000; where the kernel has both
 * both are there, and which counts depends on who shares the disk out. */
static void set_weights(struct job_group *group, uint32_t cpu, uint32_t io)
{
    if (cpu != group->cpu_weight)
        group->cpu_weight = put_weight(group, "cpu.weight", cpu) ? cpu : 0;
    if (io != group->io_weight) {
        const bool one = put_weight(group, "io.weight", io);
        const bool other =
            put_weight(group, "io.bfq.weight", io < BFQ_WEIGHT_MAX ? io : BFQ_WEIGHT_MAX);
        group->io_weight = one && other ? io : 0;
    }
}

void job_group_weigh(struct job_group *group, const struct job_limits *limits)
{
    if (group->parent_fd < 0)
        return;
    set_weights(group, limits->cpu_weight == 0 ? JOB_WEIGHT_DEFAULT : limits->cpu_weight,
                limits->io_weight == 0 ? JOB_WEIGHT_DEFAULT : limits->io_weight);
}

void job_group_bind(const struct job_group *group, const struct cpu_list *cpus)
{
    char list[CPU_LIST_TEXT_BYTES];
    if (group->fd < 0 || cpu_list_is_empty(cpus))
        return;
    cpu_list_format(cpus, list);
    (void)put(group, "cpuset.cpus", list);
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

bool job_group_sample(const struct job_group *group, struct job_usage *ret)
{
    if (group->fd < 0)
        return false;
    const uint64_t cpu_us = read_entry(group, "cpu.stat", "usage_usec");
    *ret = (struct job_usage){.cpu_us = usage_without(cpu_us, group->before.cpu_us),
                              .memory_bytes = read_number(group->fd, "memory.current"),
                              .peak_bytes = own_peak(group, read_number(group->fd, "memory.peak")),
                              .processes = (uint32_t)read_number(group->fd, "pids.current")};
    ret->source = ret->peak_bytes > 0 ? MEMORY_GROUP : MEMORY_UNKNOWN;
    return ret->memory_bytes > 0;
}

/* tmpfs is counted as file, too, and is no cache. */
static uint64_t read_cache(const struct job_group *group)
{
    CLEANUP_FREE char *text = fd_read_file(group->fd, "memory.stat", FILE_BYTES, NULL);
    return usage_without(entry_of(text, "file"), entry_of(text, "shmem"));
}

bool job_group_sample_server(const struct job_group *group, struct job_usage *ret)
{
    if (!job_group_sample(group, ret))
        return false;
    ret->memory_bytes = usage_without(ret->memory_bytes, read_cache(group));
    ret->peak_bytes = 0;
    ret->source = MEMORY_UNKNOWN;
    return true;
}

bool job_group_usage(const struct job_group *group, struct job_exit *end)
{
    if (group->fd < 0)
        return false;
    const struct counts now = read_counts(group);
    const uint64_t peak = own_peak(group, now.peak_bytes);
    const uint64_t user_us = usage_without(now.user_us, group->before.user_us);
    const uint64_t system_us = usage_without(now.system_us, group->before.system_us);
    if (peak > 0) {
        end->max_rss_bytes = peak;
        end->memory_source = MEMORY_GROUP;
    }
    if (user_us + system_us > 0) {
        end->user_us = user_us;
        end->system_us = system_us;
    }
    return now.oom_kills > group->before.oom_kills;
}

void job_group_end(struct job_group *group)
{
    if (group->fd < 0)
        return;
    cleanup_close(&group->fd);
    group->fd = -1;
    remove_group(group);
}
