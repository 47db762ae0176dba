/* What the machine gives: pressure that can be seen, a clock that is right, and a disk that writes
 * when it is asked to. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "daemon/api/checks.h"
#include "daemon/api/verb.h"
#include "daemon/resources/monitor.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>

static void check_pressure(const struct api *api, struct finding *ret)
{
    const struct host_sample *sample = monitor_latest(api->options.monitor);
    if (sample->pressure[PRESSURE_MEMORY].known) {
        finding_set(ret, CHECK_OK, "the kernel tells how long tasks wait for memory (PSI)");
        return;
    }
    finding_set(ret, CHECK_WARNING, "the kernel does not tell how long tasks wait (PSI)");
    finding_advise(
        ret, "jobs start until memory is nearly used up, also while programs wait for it", "%s",
        "boot with psi=1 on the kernel's command line (a kernel with CONFIG_PSI has it)");
}

/* A service of systemd's may not ask the kernel; then what systemd's own client noted. */
static bool is_synchronized(bool *ret_known)
{
    struct timex state = {.modes = 0};
    const int result = adjtimex(&state);
    *ret_known = true;
    if (result >= 0)
        return result != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
    if (access("/run/systemd/timesync/synchronized", F_OK) == 0)
        return true;
    *ret_known = false;
    return false;
}

static void check_clock(const struct api *api, struct finding *ret)
{
    bool known;
    const bool synchronized = is_synchronized(&known);
    (void)api;
    if (synchronized) {
        finding_set(ret, CHECK_OK, "it is kept right");
    } else if (known) {
        finding_set(ret, CHECK_WARNING, "nothing keeps it right");
        finding_advise(ret,
                       "begin times, deadlines and schedules come early or late; timeouts do not",
                       "%s", "timedatectl set-ntp true");
    } else {
        finding_set(ret, CHECK_UNKNOWN, "batchd may not ask the kernel whether it is kept right");
        finding_advise(ret, "", "%s", "timedatectl, which asks for itself");
    }
}

/* ---- the disk ---- */

/* Of the mount that the device is at, in proc_pid_mountinfo(5), the words before and behind " - ".
 * Owned; NULL: it is not there. */
static char *mount_of(dev_t device)
{
    CLEANUP_FREE char *all = fd_read_file(AT_FDCWD, "/proc/self/mountinfo", (size_t)1 << 20, NULL);
    char number[32];
    (void)snprintf(number, sizeof(number), " %u:%u ", major(device), minor(device));
    const char *found = all == NULL ? NULL : strstr(all, number);
    return found == NULL ? NULL : xmemdup(found, strcspn(found, "\n"));
}

/* Of the disk, or of that which the partition is on. Owned; NULL: it does not say. */
static char *cache_of(dev_t device)
{
    static const char *const places[] = {"queue", "../queue"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        CLEANUP_FREE char *path = xasprintf("/sys/dev/block/%u:%u/%s/write_cache", major(device),
                                            minor(device), places[i]);
        char *text = fd_read_file(AT_FDCWD, path, 64, NULL);
        if (text != NULL)
            text[strcspn(text, "\n")] = '\0';
        if (text != NULL)
            return text;
    }
    return NULL;
}

static void lies(struct finding *ret, const char *fix)
{
    finding_advise(ret,
                   "what was acknowledged may be lost, and the store damaged, when power fails",
                   "%s", fix);
}

/* What can be seen of it: a disk that lies about its cache cannot be told from one that does not.
 */
static void check_flush(const struct api *api, struct finding *ret)
{
    struct stat state;
    const char *preloaded = getenv("LD_PRELOAD"); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (preloaded != NULL && strstr(preloaded, "eatmydata") != NULL) {
        finding_set(ret, CHECK_FAILED, "libeatmydata is loaded: nothing is written out");
        lies(ret, "start batchd without it");
        return;
    }
    if (stat(api->options.state_dir, &state) < 0) {
        finding_set(ret, CHECK_UNKNOWN, "%.200s cannot be asked", api->options.state_dir);
        return;
    }
    CLEANUP_FREE char *mount = mount_of(state.st_dev);
    CLEANUP_FREE char *cache = cache_of(state.st_dev);
    if (mount != NULL &&
        (strstr(mount, "nobarrier") != NULL || strstr(mount, "barrier=0") != NULL)) {
        finding_set(ret, CHECK_FAILED,
                    "the file system is mounted with nobarrier: caches stay full");
        lies(ret, "mount it without nobarrier (barrier=0)");
    } else if (cache == NULL) {
        finding_set(ret, CHECK_UNKNOWN, "what is below the file system does not say");
    } else if (strcmp(cache, "write back") == 0) {
        finding_set(ret, CHECK_OK, "the disk has a cache, which is written out at each commit");
    } else {
        finding_set(ret, CHECK_OK,
                    "the disk says that it has no cache that power could empty (%.40s)", cache);
    }
}

static const struct check checks[] = {{"pressure", check_pressure},
                                      {"clock", check_clock},
                                      {"disk cache", check_flush},
                                      {NULL, NULL}};
const struct check_group checks_machine = {.name = "machine", .checks = checks};
