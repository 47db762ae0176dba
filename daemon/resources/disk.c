#include "daemon/resources/disk.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/parse.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* For each job that is offered: a turn may take thousands, and a look costs a microsecond. */
#define LOOK_US (20 * US_PER_MS)
/* A job is written to the WAL, to the database at the next checkpoint, and into indexes. */
#define COPIES 3U
#define SHARE 8U /* of the file system, at most one part in so many */

struct disk {
    char *folder, *path; /* the state folder, the reserve file */
    uint64_t wanted;     /* the reserve as configured */
    uint64_t reserve;    /* as the file system allows */
    uint64_t free_bytes;
    uint64_t accepted; /* bytes since the last commit */
    int64_t looked_at; /* monotonic */
    bool low, have_file;
    bool no_file; /* it cannot be made here: do not try again */
};

/* Without room, or on a file system that cannot allocate ahead, the refusal of new jobs has to do.
 */
static void make_file(struct disk *disk)
{
    CLEANUP_CLOSE int fd = open(disk->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && fallocate(fd, 0, 0, (off_t)disk->reserve) == 0) {
        disk->have_file = true;
        return;
    }
    disk->no_file = errno != ENOSPC;
    (void)unlink(disk->path);
}

/* One that was begun and not filled, by a daemon that was killed, is none. */
static bool is_filled(const struct disk *disk)
{
    struct stat info;
    return lstat(disk->path, &info) == 0 && S_ISREG(info.st_mode) &&
           (uint64_t)info.st_blocks * 512 >= disk->reserve / 2;
}

static void set_low(struct disk *disk, bool low)
{
    char text[32];
    if (low == disk->low)
        return;
    format_size(disk->free_bytes, text, sizeof(text));
    if (low)
        log_warning("%s has %s free: new jobs are refused, what runs goes on", disk->folder, text);
    else
        log_info("%s has %s free: new jobs are taken again", disk->folder, text);
    disk->low = low;
}

/* What is free, and the reserve that the file system allows. 0, or -1: it cannot be asked. */
static int ask(const char *folder, uint64_t wanted, uint64_t *ret_free, uint64_t *ret_reserve)
{
    struct statvfs info;
    if (statvfs(folder, &info) < 0)
        return -1;
    uint64_t share = (uint64_t)info.f_blocks * info.f_frsize / SHARE;
    *ret_reserve = wanted < share ? wanted : share;
    *ret_free = (uint64_t)info.f_bavail * info.f_frsize;
    return 0;
}

bool disk_has_room(const char *state_dir, uint64_t reserve_bytes)
{
    uint64_t free_bytes;
    uint64_t reserve;
    return ask(state_dir, reserve_bytes, &free_bytes, &reserve) < 0 || free_bytes >= reserve;
}

uint64_t disk_size_bytes(const char *state_dir, uint64_t reserve_bytes)
{
    struct statvfs info;
    if (statvfs(state_dir, &info) < 0)
        return 0;
    uint64_t size = (uint64_t)info.f_blocks * info.f_frsize;
    return size - (reserve_bytes < size / SHARE ? reserve_bytes : size / SHARE);
}

/* What must be free for new jobs: the reserve, beside its file or in its place. */
static uint64_t needed(const struct disk *disk)
{
    return disk->have_file ? disk->reserve : 2 * disk->reserve;
}

static void look(struct disk *disk)
{
    disk->looked_at = clock_monotonic_us();
    if (ask(disk->folder, disk->wanted, &disk->free_bytes, &disk->reserve) < 0)
        return;
    if (disk->have_file && disk->free_bytes < disk->reserve / 2) {
        log_warning("%s is full: the reserve is given up", disk->folder);
        (void)unlink(disk->path);
        disk->have_file = false;
    } else if (!disk->have_file && !disk->no_file && disk->free_bytes >= 3 * disk->reserve) {
        make_file(disk);
    }
    set_low(disk, disk->free_bytes < needed(disk));
}

struct disk *disk_new(const char *state_dir, uint64_t reserve_bytes)
{
    struct disk *disk = xcalloc(1, sizeof(*disk));
    disk->folder = xstrdup(state_dir);
    disk->path = xasprintf("%s/reserve", state_dir);
    disk->wanted = reserve_bytes;
    disk->no_file = reserve_bytes == 0;
    (void)ask(disk->folder, disk->wanted, &disk->free_bytes, &disk->reserve);
    disk->have_file = is_filled(disk);
    look(disk);
    return disk;
}

void disk_free(struct disk *disk)
{
    if (disk == NULL)
        return;
    free(disk->folder);
    free(disk->path);
    free(disk);
}

void disk_watch(struct disk *disk)
{
    look(disk);
}

int disk_accept(struct disk *disk, uint64_t bytes, struct error *err)
{
    char text[32];
    uint64_t wanted = COPIES * (disk->accepted + bytes);
    if (clock_monotonic_us() - disk->looked_at >= LOOK_US)
        look(disk);
    if (!disk->low && disk->free_bytes >= needed(disk) + wanted) {
        disk->accepted += bytes;
        return 0;
    }
    format_size(disk->free_bytes, text, sizeof(text));
    return error_set(err, ERROR_BUSY,
                     "the disk of %.120s is full (%s free): new jobs are refused until there is "
                     "room, what runs goes on",
                     disk->folder, text);
}

void disk_committed(struct disk *disk)
{
    disk->accepted = 0;
}

bool disk_low(const struct disk *disk)
{
    return disk->low;
}

uint64_t disk_free_bytes(const struct disk *disk)
{
    return disk->free_bytes;
}
