/* Whether jobs can be run, and by what their processes are held together. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "daemon/api/checks.h"
#include "daemon/api/verb.h"
#include "daemon/resources/disk_weights.h"
#include "daemon/resources/monitor.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#define GROUP_PATH_BYTES 4096U

static void check_made(const struct api *api, struct finding *ret)
{
    struct pool_health health;
    pool_health(engine_pool(api->engine), &health);
    if (health.spawner != NULL) {
        finding_set(ret, CHECK_FAILED, "none can be made: %.200s", health.spawner);
        finding_advise(ret, "no job starts", "%s",
                       api->options.system ? "systemctl status batchd-worker.service"
                                           : "look at batchd's log, and start it again");
    } else if (health.deaths > 0) {
        finding_set(ret, CHECK_WARNING, "%llu died without having been told to leave: %.200s",
                    (unsigned long long)health.deaths,
                    health.last_death == NULL ? "" : health.last_death);
        finding_advise(ret, "their jobs were judged by their logs, some of them as lost", "%s",
                       "look at batchd's log, and at the kernel's for want of memory");
    } else {
        finding_set(ret, CHECK_OK, "none has died since batchd started");
    }
}

struct seen {
    const char *state_dir;
    unsigned workers; /* that are alive */
    bool denied;      /* of one it cannot be told */
    char *group;      /* owned; of one of them */
};

static void look(void *arg, const struct pool_worker_view *worker)
{
    struct seen *seen = arg;
    if (seen->group != NULL || seen->denied)
        return;
    CLEANUP_FREE char *path =
        xasprintf("%s/workers/%llu/cgroup", seen->state_dir, (unsigned long long)worker->id);
    seen->workers++;
    seen->group = fd_read_file(AT_FDCWD, path, GROUP_PATH_BYTES, NULL);
    seen->denied = seen->group == NULL && errno != ENOENT;
    if (seen->group != NULL)
        seen->group[strcspn(seen->group, "\n")] = '\0';
}

static void lacks_groups(const char *fix, struct finding *ret)
{
    finding_advise(ret,
                   "a job's processes are found by parentage, its memory is not limited, and what "
                   "those used that nobody waited for is not counted",
                   "%s", fix);
}

/* Workers that are made from then on have them. Without the manager of one's services there are
 * none to be had. */
static const char *fix_for_user(void)
{
    CLEANUP_FREE char *groups = fd_read_file(AT_FDCWD, "/proc/self/cgroup", GROUP_PATH_BYTES, NULL);
    if (groups == NULL || strstr(groups, "/user@") == NULL)
        return "let systemd start it (see start: service manager), or the machine's batchd run them";
    return "systemctl --user start batchd-jobs.service";
}

/* By what the worker that runs has, since batchd itself may be kept from the groups. */
static void check_groups(const struct api *api, struct finding *ret)
{
    struct seen seen = {.state_dir = api->options.state_dir};
    struct statfs mount;
    const bool mounted =
        statfs("/sys/fs/cgroup", &mount) == 0 && mount.f_type == CGROUP2_SUPER_MAGIC;
    pool_each(engine_pool(api->engine), look, &seen);
    CLEANUP_FREE char *group = seen.group;
    if (group != NULL) {
        finding_set(ret, CHECK_OK, "each job has its own (v2): %.200s", group);
    } else if (!mounted) {
        finding_set(ret, CHECK_WARNING, "no control groups of version 2 in /sys/fs/cgroup");
        lacks_groups("boot with systemd.unified_cgroup_hierarchy=1, as Debian 12 does", ret);
    } else if (seen.workers > 0 && !seen.denied) {
        finding_set(ret, CHECK_WARNING, "none is delegated to batchd: jobs have none");
        lacks_groups(api->options.system ? "systemctl start batchd-jobs.service" : fix_for_user(),
                     ret);
    } else {
        finding_set(ret, CHECK_UNKNOWN, "%s",
                    seen.denied ? "what workers have is not for batchd to read"
                                : "what a worker gets is known when there is one");
        finding_advise(
            ret, "", "%s",
            seen.denied ? "" : "not as root: batchctl submit --wait -- true; then this again");
    }
}

static bool has_word(const char *words, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = words; at != NULL; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, length) == 0 && strchr(" \n", at[length]) != NULL)
            return true;
    }
    return false;
}

/* Which limits the groups of jobs can have: what was handed on to them. */
static void check_limits(const struct api *api, struct finding *ret)
{
    struct seen seen = {.state_dir = api->options.state_dir};
    pool_each(engine_pool(api->engine), look, &seen);
    CLEANUP_FREE char *group = seen.group;
    CLEANUP_FREE char *path = xasprintf("%s/cgroup.subtree_control", group == NULL ? "" : group);
    CLEANUP_FREE char *words =
        group == NULL ? NULL : fd_read_file(AT_FDCWD, path, GROUP_PATH_BYTES, NULL);
    if (words == NULL) {
        finding_set(ret, CHECK_UNKNOWN, "they are those of control groups, and no job has one now");
        return;
    }
    words[strcspn(words, "\n")] = '\0';
    const char *unit = api->options.system ? "batchd-jobs.service" : "user@.service";
    const bool whole = has_word(words, "memory") && has_word(words, "pids");
    finding_set(ret, whole && has_word(words, "cpu") ? CHECK_OK : CHECK_WARNING,
                "of these resources jobs have limits or shares: %.80s%s",
                words[0] == '\0' ? "none" : words,
                has_word(words, "cpuset") ? "" : "; one that is bound can leave its processors");
    if (ret->state == CHECK_OK)
        return;
    finding_advise(ret,
                   whole ? "jobs do not get processors by what they asked for"
                         : "a job may take all memory and processes of the machine",
                   "as root: mkdir -p /etc/systemd/system/%s.d && printf "
                   "'[Service]\\nDelegate=cpu cpuset io memory pids\\n' "
                   ">/etc/systemd/system/%s.d/batchd.conf; then start the machine again",
                   unit, unit);
}

/* What no scheduler heeds is no fault before somebody wants it. */
static void tell_heedless(const struct disk_weights *disks, bool wanted, struct finding *ret)
{
    finding_set(ret, wanted ? CHECK_WARNING : CHECK_OK, "they do not count on %.140s%s%.100s",
                disks->heedless, disks->heed[0] == '\0' ? "" : ", but on ", disks->heed);
    finding_advise(
        ret,
        wanted ? "there jobs share the disk without regard to limits.io_weight and "
                 "io_priority"
               : "",
        "as root: modprobe bfq && echo bfq >/sys/block/%.31s/queue/scheduler (an udev rule "
        "keeps it); or, for a fast disk, iocost (io.cost.qos)",
        disks->first);
}

/* Of jobs on disks: limits.io_weight and io_priority. */
static void check_weights(const struct api *api, struct finding *ret)
{
    struct seen seen = {.state_dir = api->options.state_dir};
    struct disk_weights disks;
    const struct limit_policy *limits = &engine_limits(api->engine)->limits;
    const bool weighs = limits->io_weight != 0;
    const bool wanted = weighs || limits->io_priority != JOB_IO_NONE;
    const bool by_group = weighs || !wanted; /* a priority is of each process, in a group or not */
    pool_each(engine_pool(api->engine), look, &seen);
    CLEANUP_FREE char *group = seen.group;
    CLEANUP_FREE char *path = xasprintf("%s/io.stat", group == NULL ? "" : group);
    disk_weights_take(monitor_root(api->options.monitor), &disks);
    const bool lives = group != NULL && access(group, F_OK) == 0; /* its worker may have left */
    if (by_group && !lives) {
        finding_set(ret, CHECK_UNKNOWN, "they are those of control groups, and no job has one now");
    } else if (by_group && access(path, F_OK) < 0) {
        finding_set(ret, weighs ? CHECK_WARNING : CHECK_OK,
                    "jobs have none: their groups were not handed on disks (io)");
        if (weighs)
            finding_advise(ret, "limits.io_weight is without effect", "%s",
                           "let batchd run as the machine's, which systemd hands disks on to");
    } else if (disks.first[0] != '\0') {
        tell_heedless(&disks, wanted, ret);
    } else if (disks.heed[0] != '\0') {
        finding_set(ret, CHECK_OK, "they count on %.120s", disks.heed);
    } else {
        finding_set(ret, CHECK_UNKNOWN, "no disk is seen");
    }
}

static const struct check checks[] = {{"workers", check_made},
                                      {"control groups", check_groups},
                                      {"limits", check_limits},
                                      {"disk weights", check_weights},
                                      {NULL, NULL}};
const struct check_group checks_workers = {.name = "jobs", .checks = checks};
