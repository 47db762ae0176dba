#include "processors/lib/staging.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/output_names.h"
#include "processors/lib/path_params.h"
#include "processors/lib/publisher.h"
#include "processors/lib/request.h"
#include "processors/lib/stage.h"
#include "processors/lib/work_folder.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

static struct stage stage = {.lock = -1};
static char work[PATH_MAX];                   /* "" = none */
static int work_failed;                       /* an errno: why it is not there */
static struct publisher publisher = {-1, -1}; /* used by the signal handler */
static int unprepared;                        /* an errno: why there is no staging folder */
static bool is_watched;
static char target[PATH_MAX]; /* of the file that is open */
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
    size_t at = 0;
    struct path_param param;
    while (path_param_next(request, &at, &param)) {
        char *path = param.is_written ? request_path(request, param.name) : NULL;
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
    size_t at = 0;
    struct path_param param;
    while (path_param_next(request, &at, &param)) {
        if (path_param_is_several(&param))
            return true;
    }
    return false;
}

static void prepare(const struct request *request)
{
    CLEANUP_FREE char *path = output_path(request);
    CLEANUP_FREE char *own = path == NULL ? NULL : work_folder_path(request, path);
    unprepared = ENOENT;
    if (path == NULL)
        return;
    work_failed = work_folder_make(own);
    unprepared = ENAMETOOLONG;
    if (strlen(path) >= PATH_MAX - NAME_MAX ||
        snprintf(work, sizeof(work), "%s", own) >= (int)sizeof(work))
        return;
    const bool several = reads_several(request);
    CLEANUP(output_names_done) struct output_names names = {0};
    if (several)
        output_names_read(request, &names);
    unprepared = stage_open(request, path, several, &stage);
    stage.place.work = work;
    stage.place.names = &names;
    if (unprepared == 0 && publisher_start(&stage.place, &publisher) < 0) {
        unprepared = errno;
        (void)rmdir(stage.path);
    }
    is_watched = unprepared == 0 && publisher_watches(&publisher);
    stage.place.names = NULL;
    stage_done(&stage);
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
    return unprepared != 0 ? NULL : stage.path;
}

bool staging_is_watched(void)
{
    return is_watched;
}

const char *staging_work(void)
{
    return work[0] == '\0' ? NULL : work;
}

int staging_work_failed(void)
{
    return work_failed;
}

/* ---- one output ---- */

static const char *name_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

bool staging_is_left(const char *path)
{
    CLEANUP_FREE char *left = xasprintf("%s/%s", stage.path, name_of(path));
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
        return error_set(err, ERROR_BUSY, "another run is at work in \"%.200s\"", stage.path);
    errno = unprepared;
    (void)error_set_errno(err, "output \"%.200s\" cannot be %s", path, what);
    err->code = ERROR_CONFLICT;
    return -1;
}

static int create(struct error *err)
{
    (void)snprintf(staged, sizeof(staged), "%s/%.*s", stage.path, NAME_MAX, name_of(target));
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
    cleanup_close(&stage.lock);
    stage.lock = -1;
}
