#include "worker/cgroup.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define MOUNT "/sys/fs/cgroup"
#define ONLINE "/sys/devices/system/cpu/online"
#define FILE_BYTES 4096U
#define SPAWNER_UNIT "batchd-worker.service"
#define JOBS_UNIT "batchd-jobs.service"
/* A container has some five on top of each other, and as many in all. */
#define BELOW_DEPTH_MAX 16U
#define BELOW_MAX 1000U

/* Without this a group's absence says nothing. */
static bool mounted(void)
{
    struct statfs found;
    return statfs(MOUNT, &found) == 0 && found.f_type == CGROUP2_SUPER_MAGIC;
}

/* The group that we are in; NULL: there is none that we may divide. */
static char *own_group(void)
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

/* What is below it may have these limits, as far as it may itself. */
static void hand_on(const char *group)
{
    static const char *const controllers[] = {"+memory", "+pids", "+cpu", "+io", "+cpuset"};
    CLEANUP_FREE char *path = xasprintf("%s/cgroup.subtree_control", group);
    for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
        CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0)
            (void)fd_write_all(fd, controllers[i], strlen(controllers[i]));
    }
}

/* Of a person's own batchd: that of their batchd-jobs.service, if their services' manager runs it
 * and we are among what it has; in it a group for each state folder, since they may have several.
 */
static char *user_base(const char *own)
{
    struct stat state;
    CLEANUP_FREE char *unit = xasprintf("/user@%u.service/", geteuid());
    const char *manager = strstr(own, unit);
    if (manager == NULL || stat(".", &state) < 0)
        return NULL;
    CLEANUP_FREE char *jobs =
        xasprintf("%.*s%sapp.slice/" JOBS_UNIT, (int)(manager - own), own, unit);
    if (access(jobs, W_OK) < 0)
        return NULL;
    hand_on(jobs);
    CLEANUP_FREE char *base =
        xasprintf("%s/state-%llx-%llx", jobs, (unsigned long long)state.st_dev,
                  (unsigned long long)state.st_ino);
    if (mkdir(base, 0755) < 0 && errno != EEXIST)
        return NULL;
    hand_on(base);
    return TAKE_PTR(base);
}

char *cgroup_base(bool system_mode)
{
    CLEANUP_FREE char *own = own_group();
    const char *slash = own == NULL ? NULL : strrchr(own, '/');
    if (slash == NULL)
        return NULL;
    if (!system_mode)
        return user_base(own);
    CLEANUP_FREE char *jobs = xasprintf("%.*s/" JOBS_UNIT, (int)(slash - own), own);
    if (strcmp(slash + 1, SPAWNER_UNIT) != 0 || access(jobs, F_OK) < 0)
        return TAKE_PTR(own);
    hand_on(jobs);
    return TAKE_PTR(jobs);
}

char *cgroup_of_worker(uint64_t worker)
{
    CLEANUP_FREE char *own = own_group();
    CLEANUP_FREE char *end =
        xasprintf("/worker-%llu/" CGROUP_WORKER_NAME, (unsigned long long)worker);
    if (own == NULL)
        return NULL;
    const size_t length = strlen(own);
    if (length < strlen(end) || strcmp(own + length - strlen(end), end) != 0)
        return NULL;
    own[length - strlen("/" CGROUP_WORKER_NAME)] = '\0';
    return TAKE_PTR(own);
}

/* The processors that a group has, or the next above that tells (cpuset); empty: none does. */
static void find_cpus(const char *of, struct cpu_list *ret)
{
    struct error err;
    CLEANUP_FREE char *group = of == NULL ? NULL : xstrdup(of);
    *ret = (struct cpu_list){.bits = {0}};
    while (group != NULL && strlen(group) >= strlen(MOUNT)) {
        CLEANUP_FREE char *path = xasprintf("%s/cpuset.cpus.effective", group);
        CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, FILE_BYTES, NULL);
        if (text != NULL && cpu_list_parse(text, ret, &err) == 0)
            return;
        *strrchr(group, '/') = '\0';
    }
}

/* Without that controller they are all that are online. */
static void find_cpus_or_online(const char *of, struct cpu_list *ret)
{
    struct error err;
    find_cpus(of, ret);
    if (!cpu_list_is_empty(ret))
        return;
    CLEANUP_FREE char *online = fd_read_file(AT_FDCWD, ONLINE, FILE_BYTES, NULL);
    if (online == NULL || cpu_list_parse(online, ret, &err) < 0)
        *ret = (struct cpu_list){.bits = {0}};
}

/* What our group has (AllowedCPUs=) looks the same in our affinity. What the base has as well, as
 * by that of their slice, is left to it: it may become more. */
void cgroup_own_cpus(const char *base, struct cpu_list *ret)
{
    struct cpu_list others;
    cpu_set_t set;
    *ret = (struct cpu_list){.bits = {0}};
    find_cpus_or_online(base, &others);
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return;
    for (unsigned i = 0; i < CPU_LIST_MAX; i++) {
        if (CPU_ISSET(i, &set))
            cpu_list_add(ret, i);
    }
    cpu_list_leave(&others, ret);
    if (cpu_list_is_empty(&others))
        *ret = (struct cpu_list){.bits = {0}};
}

static void keep_to(const char *group, const struct cpu_list *cpus)
{
    char list[CPU_LIST_TEXT_BYTES];
    CLEANUP_FREE char *path = xasprintf("%s/cpuset.cpus", group);
    CLEANUP_CLOSE int fd = cpu_list_is_empty(cpus) ? -1 : open(path, O_WRONLY | O_CLOEXEC);
    cpu_list_format(cpus, list);
    if (fd >= 0)
        (void)fd_write_all(fd, list, strlen(list));
}

/* In it a job's own user may read what its limits are, whatever our umask is: programs size
 * themselves by that. */
char *cgroup_make(const char *base, uint64_t worker, const struct cpu_list *cpus)
{
    if (base == NULL)
        return NULL;
    CLEANUP_FREE char *group = xasprintf("%s/worker-%llu", base, (unsigned long long)worker);
    CLEANUP_FREE char *leaf = xasprintf("%s/" CGROUP_WORKER_NAME, group);
    if ((mkdir(group, 0755) < 0 && errno != EEXIST) || (mkdir(leaf, 0755) < 0 && errno != EEXIST) ||
        chmod(group, 0755) < 0)
        return NULL;
    keep_to(group, cpus);
    hand_on(group);
    return TAKE_PTR(group);
}

static int open_in(const char *group, const char *name, int flags)
{
    CLEANUP_CLOSE int folder = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? -1 : openat(folder, name, flags | O_CLOEXEC);
}

int cgroup_enter(const char *group)
{
    CLEANUP_CLOSE int fd = open_in(group, CGROUP_WORKER_NAME "/cgroup.procs", O_WRONLY);
    return fd >= 0 && write(fd, "0", 1) == 1 ? 0 : -1;
}

void cgroup_cpus(struct cpu_list *ret)
{
    CLEANUP_FREE char *group = own_group();
    find_cpus(group, ret);
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

/* ---- its end ---- */

static bool is_group(const struct dirent *entry)
{
    return entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
           strcmp(entry->d_name, "..") != 0;
}

/* The deepest first. `left`: so many may be met. */
static void remove_below(int group_fd, unsigned depth, unsigned *left)
{
    const struct dirent *entry;
    const int fd = openat(group_fd, ".", CGROUP_FOLDER);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    while (*left > 0 && (entry = readdir(folder)) != NULL) {
        if (!is_group(entry))
            continue;
        (*left)--;
        if (unlinkat(group_fd, entry->d_name, AT_REMOVEDIR) == 0)
            continue;
        CLEANUP_CLOSE int below =
            depth == BELOW_DEPTH_MAX ? -1 : openat(group_fd, entry->d_name, CGROUP_FOLDER);
        if (below < 0)
            continue;
        remove_below(below, depth + 1, left);
        (void)unlinkat(group_fd, entry->d_name, AT_REMOVEDIR);
    }
    (void)closedir(folder);
}

void cgroup_remove_below(int group_fd)
{
    unsigned left = BELOW_MAX;
    remove_below(group_fd, 1, &left);
}

void cgroup_remove(const char *group)
{
    CLEANUP_CLOSE int fd = open(group, CGROUP_FOLDER);
    if (fd >= 0)
        cgroup_remove_below(fd);
    (void)rmdir(group);
}
