#include "processors/lib/stage.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/lib/request.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

/* NAME_MAX is 255 bytes; ".", ".batchd-", two numbers of up to 20 and 10 digits and ".part"
 * take 45. */
#define NAME_BYTES_KEPT 200
/* Attempts are few; a wild number in the request must not become a long loop. */
#define ATTEMPTS_LOOKED_AT_MAX 100U
/* Longer than a rename and its sync take as a rule. */
#define LOCK_WAIT_MS 500
#define LOCK_PAUSE_MS 10

/* `beside`: the name of the output that it lies beside; "": in the output's folder. */
static void name_stage(const struct request *request, const char *beside, unsigned attempt,
                       char ret[NAME_MAX + 1])
{
    (void)snprintf(ret, NAME_MAX + 1, "%s%.*s.batchd-%llu-%u.part", beside[0] == '\0' ? "" : ".",
                   NAME_BYTES_KEPT, beside, (unsigned long long)request->job, attempt);
}

/* Whose folder it is, and that nobody else can put something into it. */
static bool is_ours(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && info.st_uid == geteuid() && (info.st_mode & 022) == 0;
}

/* The publisher of an attempt that was killed ends a moment later, with what it was at. An errno.
 */
static int lock_soon(int fd)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += LOCK_PAUSE_MS) {
        if (errno != EWOULDBLOCK || waited >= LOCK_WAIT_MS)
            return errno;
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

static int open_folder(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* What an earlier attempt left becomes ours: it tells where that one was ended. An errno: that one
 * is at work still. */
static int take_over(const struct request *request, int parent, const char *beside,
                     const char *name)
{
    char left[NAME_MAX + 1];
    unsigned looked_at =
        request->attempt < ATTEMPTS_LOOKED_AT_MAX ? request->attempt : ATTEMPTS_LOOKED_AT_MAX;
    for (unsigned before = looked_at - 1; before > 0; before--) {
        name_stage(request, beside, request->attempt - before, left);
        CLEANUP_CLOSE int fd = open_folder(parent, left);
        if (fd < 0 || !is_ours(fd))
            continue;
        int failed = lock_soon(fd);
        if (failed != 0)
            return failed;
        (void)renameat(parent, left, parent, name);
    }
    return 0;
}

static int open_in(const struct request *request, int parent, const char *beside,
                   struct stage *stage)
{
    name_stage(request, beside, request->attempt, stage->name);
    int failed = take_over(request, parent, beside, stage->name);
    if (failed != 0)
        return failed;
    (void)unlinkat(parent, stage->name, 0); /* a file: other processors stage so */
    if (mkdirat(parent, stage->name, 0700) < 0 && errno != EEXIST)
        return errno;
    stage->lock = open_folder(parent, stage->name);
    if (stage->lock < 0)
        return errno;
    if (!is_ours(stage->lock))
        return EEXIST;
    failed = lock_soon(stage->lock); /* two runs by hand have the same number */
    if (failed != 0)
        return failed;
    stage->place.lock = stage->lock;
    stage->place.stage = openat(stage->lock, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    stage->place.stage_parent = parent;
    stage->place.stage_name = stage->name;
    return stage->place.stage < 0 ? errno : 0;
}

static bool is_other_device(int parent, int folder)
{
    struct stat outer;
    struct stat inner;
    return fstat(parent, &outer) == 0 && fstat(folder, &inner) == 0 && outer.st_dev != inner.st_dev;
}

int stage_open(const struct request *request, const char *output, bool several, struct stage *ret)
{
    struct publisher_place *place = &ret->place;
    const char *name = strrchr(output, '/') + 1;
    CLEANUP_FREE char *folder = xmemdup(output, (size_t)(name - output));
    *ret = (struct stage){.lock = -1,
                          .place = {.several = several,
                                    .name = name,
                                    .parent = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC),
                                    .folder = -1,
                                    .lock = -1,
                                    .stage = -1}};
    if (place->parent < 0)
        return errno;
    if (several)
        place->folder = openat(place->parent, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool far = place->folder >= 0 && is_other_device(place->parent, place->folder);
    int failed = far ? EXDEV : open_in(request, place->parent, name, ret);
    (void)snprintf(ret->path, sizeof(ret->path), "%s%s", folder, ret->name);
    if (place->folder < 0 || (failed != EXDEV && failed != EACCES && failed != EROFS))
        return failed;
    failed = open_in(request, place->folder, "", ret);
    (void)snprintf(ret->path, sizeof(ret->path), "%s/%s", output, ret->name);
    return failed;
}

void stage_done(const struct stage *stage)
{
    cleanup_close(&stage->place.parent);
    cleanup_close(&stage->place.folder);
    cleanup_close(&stage->place.stage);
}
