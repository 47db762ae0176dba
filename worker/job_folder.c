#include "worker/job_folder.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "worker/user_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each level costs a descriptor. Deeper trees are nobody's checkpoint, and stay. */
#define DEPTH_MAX 64
/* Of a request: batchd may wait for workers meanwhile. */
#define TIME_US (10 * US_PER_MS)

struct removing {
    int64_t until; /* monotonic */
    dev_t device;
};

/* What became of a part: FAILED has errno. */
enum part { PART_REMOVED, PART_LEFT, PART_FAILED };

/* A folder, and whose it is. */
struct owned {
    int fd;
    uid_t owner;
    int depth;
};

static enum part remove_folder(const struct removing *removing, const struct owned *parent,
                               const char *name);

static enum part remove_entry(const struct removing *removing, const struct owned *folder,
                              const char *name)
{
    if (clock_monotonic_us() > removing->until)
        return PART_LEFT;
    if (unlinkat(folder->fd, name, 0) == 0 || errno == ENOENT)
        return PART_REMOVED;
    if (errno != EISDIR && errno != EPERM)
        return PART_FAILED;
    return remove_folder(removing, folder, name);
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Takes its descriptor. */
static enum part empty_folder(const struct removing *removing, const struct owned *owned)
{
    DIR *folder = fdopendir(owned->fd);
    const struct dirent *entry;
    enum part part = PART_REMOVED;
    if (folder == NULL) {
        (void)close(owned->fd);
        return PART_FAILED;
    }
    errno = 0;
    while (part == PART_REMOVED && (entry = readdir(folder)) != NULL) {
        if (!is_dots(entry->d_name))
            part = remove_entry(removing, owned, entry->d_name);
        if (part == PART_REMOVED)
            errno = 0;
    }
    if (part == PART_REMOVED && errno != 0)
        part = PART_FAILED;
    int saved = errno;
    (void)closedir(folder);
    errno = saved;
    return part;
}

/* In user mode a job may have taken our own rights to a folder away; root needs none. */
static int open_folder(int parent, const char *name)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent, name, flags);
    if (fd >= 0 || errno != EACCES)
        return fd;
    CLEANUP_CLOSE int path = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char link[40];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
    if (path < 0 || chmod(link, S_IRWXU) < 0)
        return -1;
    return openat(parent, name, flags);
}

/* errno of a folder that is left alone; 0: it may be entered. What is in a user's folder must be
 * that user's: one that somebody else trusted a user with may have been moved in there, and root
 * would empty what the user may not. */
static int refusal(const struct removing *removing, const struct owned *parent,
                   const struct stat *found)
{
    if (parent->owner != geteuid() && found->st_uid != parent->owner)
        return EPERM;
    if (found->st_dev != removing->device)
        return EXDEV;
    return parent->depth == DEPTH_MAX ? ELOOP : 0;
}

static enum part remove_folder(const struct removing *removing, const struct owned *parent,
                               const char *name)
{
    struct stat found;
    CLEANUP_CLOSE int fd = open_folder(parent->fd, name);
    if (fd < 0)
        return errno == ENOENT ? PART_REMOVED : PART_FAILED;
    if (fstat(fd, &found) < 0)
        return PART_FAILED;
    errno = refusal(removing, parent, &found);
    if (errno != 0)
        return PART_FAILED;
    if (geteuid() != 0 && (found.st_mode & S_IRWXU) != S_IRWXU && fchmod(fd, S_IRWXU) < 0)
        return PART_FAILED;
    const struct owned folder = {
        .fd = TAKE_FD(fd), .owner = found.st_uid, .depth = parent->depth + 1};
    enum part part = empty_folder(removing, &folder);
    if (part != PART_REMOVED)
        return part;
    return unlinkat(parent->fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? PART_REMOVED
                                                                            : PART_FAILED;
}

/* One job in the folders of all users, and what became of it. */
struct users_part {
    int64_t until;
    const char *name;
    enum part part;
};

static int remove_users_part(void *arg, int fd, uid_t uid)
{
    struct users_part *job = arg;
    struct stat found;
    if (fstat(fd, &found) < 0)
        return -1;
    const struct removing removing = {.until = job->until, .device = found.st_dev};
    const struct owned folder = {.fd = fd, .owner = uid};
    job->part = remove_folder(&removing, &folder, job->name);
    return job->part == PART_REMOVED ? 0 : 1;
}

static enum part remove_job(const struct removing *removing, const struct owned *jobs, int users_fd,
                            const char *name)
{
    struct users_part users = {.until = removing->until, .name = name, .part = PART_REMOVED};
    enum part part = remove_folder(removing, jobs, name);
    if (part != PART_REMOVED || users_fd < 0)
        return part;
    return user_folders_each(users_fd, remove_users_part, &users) < 0 ? PART_FAILED : users.part;
}

void job_folders_remove(int jobs_fd, int users_fd, struct job_folders *folders)
{
    struct removing removing = {.until = clock_monotonic_us() + TIME_US};
    struct stat found;
    if (fstat(jobs_fd, &found) < 0)
        return;
    removing.device = found.st_dev;
    const struct owned jobs = {.fd = jobs_fd, .owner = geteuid()};
    for (uint32_t i = 0; i < folders->count && clock_monotonic_us() <= removing.until; i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "%llu", (unsigned long long)folders->ids[i]);
        enum part part = remove_job(&removing, &jobs, users_fd, name);
        if (part == PART_LEFT)
            return;
        if (part == PART_REMOVED) {
            folders->removed |= UINT64_C(1) << i;
            continue;
        }
        folders->failed |= UINT64_C(1) << i;
        log_warning("the folder of job %s is not removed: %s", name, strerrordesc_np(errno));
    }
}
