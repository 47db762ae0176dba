#include "processors/lib/staging.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/journal.h"
#include "processors/lib/pattern.h"
#include "processors/lib/publisher.h"
#include "processors/lib/request.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>

/* NAME_MAX is 255 bytes; ".", ".batchd-", a number of up to 20 digits and ".part" take 34. */
#define NAME_BYTES_KEPT 200

static char stage[PATH_MAX];                  /* "" = none */
static char work[PATH_MAX];                   /* "" = none */
static struct publisher publisher = {-1, -1}; /* used by the signal handler */
static int lock = -1;                         /* of the staging folder, held to the end */
static int unprepared;                        /* an errno: why there is no staging folder */
static char target[PATH_MAX];                 /* of the file that is open */
static char staged[PATH_MAX + NAME_MAX + 1];
static bool is_open;

static void on_stop(int number)
{
    static const char text[] = "stopped by a signal; nothing is left behind\n";
    (void)number;
    publisher_end(&publisher);
    ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)ignored;
    _exit(EX_TEMPFAIL);
}

static const int stops[] = {SIGTERM, SIGINT, SIGHUP};

static sigset_t signals_of_end(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
        (void)sigaddset(&set, stops[i]);
    return set;
}

void staging_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_stop};
    (void)sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
        (void)sigaction(stops[i], &action, NULL);
}

/* ---- before the sandbox ---- */

/* The path of the parameter that is written, without slashes at its end; owned. NULL: none. */
static char *output_path(const struct request *request)
{
    size_t i;
    json_t *param;
    json_array_foreach(json_object_get(request->manifest, "params"), i, param) {
        const char *access = json_string_value(json_object_get(param, "access"));
        char *path = access == NULL || strcmp(access, "write") != 0
                         ? NULL
                         : request_path(request, json_string_value(json_object_get(param, "name")));
        for (size_t end = path == NULL ? 0 : strlen(path); end > 1 && path[end - 1] == '/'; end--)
            path[end - 1] = '\0';
        if (path != NULL)
            return path;
    }
    return NULL;
}

/* Whether it reads several files, each of which becomes one in the folder that the output is. */
static bool reads_several(const struct request *request)
{
    size_t i;
    json_t *param;
    json_array_foreach(json_object_get(request->manifest, "params"), i, param) {
        const char *name = json_string_value(json_object_get(param, "name"));
        const json_t *value = json_object_get(request->params, name);
        const char *text = json_string_value(value);
        if (strcmp(json_string_value(json_object_get(param, "type")), "paths") == 0 &&
            (json_is_array(value) || (text != NULL && pattern_is(request, text))))
            return true;
    }
    return false;
}

/* Whose folder it is, and that nobody else can put something into it. */
static bool is_ours(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && info.st_uid == geteuid() && (info.st_mode & 022) == 0;
}

/* Made, or left by an earlier attempt, and locked: two runs by hand have the same number. An errno,
 * or 0. */
static int open_stage(int parent, const char *name, struct publisher_place *place)
{
    if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
        return errno;
    lock = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (lock < 0)
        return errno;
    if (!is_ours(lock))
        return EEXIST;
    if (flock(lock, LOCK_EX | LOCK_NB) < 0)
        return errno;
    place->stage = openat(lock, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    place->stage_parent = parent;
    place->stage_name = name;
    return place->stage < 0 ? errno : 0;
}

static bool is_other_device(int parent, int folder)
{
    struct stat outer;
    struct stat inner;
    return fstat(parent, &outer) == 0 && fstat(folder, &inner) == 0 && outer.st_dev != inner.st_dev;
}

/* What publisher_start needs of a place, and its paths. */
struct stage_names {
    char beside[NAME_MAX + 1], inside[NAME_MAX + 1];
};

static int open_place(const char *path, uint64_t job, struct stage_names *names,
                      struct publisher_place *place)
{
    CLEANUP_FREE char *folder = xstrdup(path);
    const char *name = strrchr(path, '/') + 1;
    folder[name - path] = '\0';
    (void)snprintf(names->beside, sizeof(names->beside), ".%.*s.batchd-%llu.part", NAME_BYTES_KEPT,
                   name, (unsigned long long)job);
    (void)snprintf(names->inside, sizeof(names->inside), ".batchd-%llu.part",
                   (unsigned long long)job);
    place->name = name;
    place->parent = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (place->parent < 0)
        return errno;
    if (place->several)
        place->folder = openat(place->parent, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool far = place->folder >= 0 && is_other_device(place->parent, place->folder);
    (void)snprintf(stage, sizeof(stage), "%s%s", folder, names->beside);
    int failed = far ? EXDEV : open_stage(place->parent, names->beside, place);
    if (place->folder < 0 || (failed != EXDEV && failed != EACCES && failed != EROFS))
        return failed;
    (void)snprintf(stage, sizeof(stage), "%s/%s", path, names->inside);
    return open_stage(place->folder, names->inside, place);
}

static void place_done(const struct publisher_place *place)
{
    cleanup_close(&place->parent);
    cleanup_close(&place->folder);
    cleanup_close(&place->stage);
}

static void prepare(const struct request *request)
{
    struct stage_names names;
    CLEANUP(place_done)
    struct publisher_place place = {
        .several = reads_several(request), .parent = -1, .folder = -1, .stage = -1, .work = work};
    CLEANUP_FREE char *path = output_path(request);
    CLEANUP_FREE char *own = path == NULL ? NULL : journal_make_folder(request, path);
    unprepared = ENOENT;
    if (path == NULL)
        return;
    unprepared = ENAMETOOLONG;
    if (strlen(path) >= PATH_MAX - NAME_MAX ||
        snprintf(work, sizeof(work), "%s", own) >= (int)sizeof(work))
        return;
    unprepared = open_place(path, request->job, &names, &place);
    if (unprepared == 0 && publisher_start(&place, &publisher) < 0) {
        unprepared = errno;
        (void)rmdir(stage);
    }
}

/* A signal that ends it waits until there is a publisher who removes what was made. */
void staging_prepare(const struct request *request)
{
    sigset_t before;
    sigset_t ends = signals_of_end();
    (void)sigprocmask(SIG_BLOCK, &ends, &before);
    prepare(request);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

const char *staging_folder(void)
{
    return unprepared != 0 ? NULL : stage;
}

const char *staging_work(void)
{
    return work[0] == '\0' ? NULL : work;
}

/* ---- one output ---- */

static const char *name_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

bool staging_is_left(const char *path)
{
    CLEANUP_FREE char *left = xasprintf("%s/%s", stage, name_of(path));
    return unprepared == 0 && access(left, F_OK) == 0;
}

static int check_target(struct error *err)
{
    struct stat info;
    if (target[strlen(target) - 1] == '/')
        return error_set_field(err, "params.output",
                               "params.output is \"%.200s\"; it must name a file", target);
    if (lstat(target, &info) == 0 && !S_ISREG(info.st_mode))
        return error_set(err, ERROR_CONFLICT,
                         "output \"%.200s\" exists and is not a regular file; it is not replaced",
                         target);
    return 0;
}

static int check_prepared(const char *path, const char *what, struct error *err)
{
    if (unprepared == 0)
        return 0;
    if (unprepared == EWOULDBLOCK)
        return error_set(err, ERROR_BUSY, "another run is at work in \"%.200s\"", stage);
    errno = unprepared;
    (void)error_set_errno(err, "output \"%.200s\" cannot be %s", path, what);
    err->code = ERROR_CONFLICT;
    return -1;
}

static int create(struct error *err)
{
    (void)snprintf(staged, sizeof(staged), "%s/%.*s", stage, NAME_MAX, name_of(target));
    (void)unlink(staged); /* what an earlier attempt left */
    CLEANUP_CLOSE int fd = open(staged, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd >= 0)
        return 0;
    (void)error_set_errno(err, "output \"%.200s\" cannot be created", target);
    err->code = ERROR_CONFLICT;
    return -1;
}

const char *staging_open(const char *path, struct error *err)
{
    if (snprintf(target, sizeof(target), "%s", path) > PATH_MAX - 64) {
        (void)error_set_field(err, "params.output", "params.output is longer than %d bytes",
                              PATH_MAX - 64);
        return NULL;
    }
    if (check_target(err) < 0 || check_prepared(target, "created", err) < 0 || create(err) < 0)
        return NULL;
    is_open = true;
    return staged;
}

int staging_commit(struct error *err)
{
    CLEANUP_CLOSE int fd = open(staged, O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) < 0 ? errno : 0;
    if (failed == 0)
        failed = publisher_place(&publisher, name_of(target)).failed;
    staging_discard();
    if (failed == 0)
        return 0;
    if (failed == ENOTUNIQ) /* it came since */
        return check_target(err);
    errno = failed;
    (void)error_set_errno(err, "output \"%.200s\" cannot be put in its place", target);
    err->code = ERROR_IO;
    return -1;
}

void staging_discard(void)
{
    if (is_open)
        (void)unlink(staged);
    is_open = false;
}

/* ---- outputs that are in a folder ---- */

int staging_make_folder(const char *path, struct error *err)
{
    if (check_prepared(path, "made a folder", err) < 0)
        return -1;
    errno = publisher_make_folder(&publisher).failed;
    if (errno == 0)
        return 0;
    (void)error_set_errno(err, "output \"%.200s\" cannot be made a folder", path);
    err->code = ERROR_CONFLICT;
    return -1;
}

json_t *staging_look(const char *path)
{
    struct publisher_answer found = publisher_look(&publisher, name_of(path));
    if (found.failed != 0)
        return NULL;
    json_t *facts = json_object();
    json_put_text(facts, "path", path);
    json_put_int(facts, "bytes", found.bytes);
    json_put_text(facts, "sha256", found.sha256);
    return facts;
}

void staging_end(void)
{
    staging_discard();
    publisher_end(&publisher);
    cleanup_close(&lock);
    lock = -1;
}
