/* Whether what is acknowledged is kept: the library, the disk and the file system of the store. */
#include "common/parse.h"
#include "daemon/api/checks.h"
#include "daemon/api/verb.h"
#include "daemon/store/db.h"

#include <linux/magic.h>
#include <sys/vfs.h>

/* Of include/uapi/linux/magic.h; Debian 12's has no name for the last. */
#define CIFS_MAGIC 0xff534d42UL
#define SMB2_MAGIC 0xfe534d42UL

static void check_library(const struct api *api, struct finding *ret)
{
    (void)api;
    if (db_library_number() >= SQLITE_VERSION_NUMBER) {
        finding_set(ret, CHECK_OK, "SQLite %s", db_library_version());
        return;
    }
    finding_set(ret, CHECK_WARNING, "SQLite %s, and batchd was built for %s", db_library_version(),
                SQLITE_VERSION);
    finding_advise(ret, "an older one has faults that batchd's tests were not run with", "%s",
                   "install the libsqlite3 that batchd was built with, or build it again");
}

static void check_space(const struct api *api, struct finding *ret)
{
    char left[32];
    format_size(engine_disk_free_bytes(api->engine), left, sizeof(left));
    finding_set(ret, engine_disk_low(api->engine) ? CHECK_FAILED : CHECK_OK, "%s free at %.200s",
                left, api->options.state_dir);
    if (engine_disk_low(api->engine))
        finding_advise(ret, "new jobs are refused", "%s",
                       "make room there, or: batchctl prune --state completed --older 1d");
}

static void check_file_system(const struct api *api, struct finding *ret)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } remote[] = {{NFS_SUPER_MAGIC, "NFS"},
                  {SMB_SUPER_MAGIC, "SMB"},
                  {CIFS_MAGIC, "SMB"},
                  {SMB2_MAGIC, "SMB"},
                  {CEPH_SUPER_MAGIC, "Ceph"}};
    struct statfs is;
    if (statfs(api->options.state_dir, &is) < 0) {
        finding_set(ret, CHECK_UNKNOWN, "%.200s cannot be asked", api->options.state_dir);
        return;
    }
    finding_set(ret, CHECK_OK, "%.200s is on a disk of this machine", api->options.state_dir);
    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
        if ((unsigned long)is.f_type != remote[i].magic)
            continue;
        finding_set(ret, CHECK_WARNING, "%.200s is on %s", api->options.state_dir, remote[i].name);
        finding_advise(ret, "its locks may fail, and two batchd could write to one store", "%s",
                       "batchd --state on a disk of this machine");
    }
    if (is.f_type != TMPFS_MAGIC && is.f_type != RAMFS_MAGIC)
        return;
    finding_set(ret, CHECK_WARNING, "%.200s is in memory", api->options.state_dir);
    finding_advise(ret, "all jobs and results are gone when the machine restarts", "%s",
                   "batchd --state on a disk of this machine");
}

static const struct check checks[] = {{"library", check_library},
                                      {"space", check_space},
                                      {"file system", check_file_system},
                                      {NULL, NULL}};
const struct check_group checks_store = {.name = "store", .checks = checks};
