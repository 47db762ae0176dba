#include "processors/lib/staging.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/lib/request.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

/* NAME_MAX is 255 bytes; ".", ".batchd-", two numbers of up to 20 and 10 digits and ".part"
 * take 45. */
#define STAGED_NAME_MAX 200
/* Attempts are few; a wild number in the request must not become a long loop. */
#define ATTEMPTS_SWEPT_MAX 100U

static char staged[PATH_MAX];         /* "" = none; read by the signal handler */
static char target[PATH_MAX];         /* where it goes */
static volatile sig_atomic_t is_open; /* staged is whole and the file may be there */

static void on_stop(int number)
{
    static const char text[] = "stopped by a signal; nothing is left behind\n";
    (void)number;
    if (is_open)
        (void)unlink(staged);
    ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)ignored;
    _exit(EX_TEMPFAIL);
}

void staging_catch_signals(void)
{
    static const int stops[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction action = {.sa_handler = on_stop};
    (void)sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
        (void)sigaction(stops[i], &action, NULL);
}

static void staged_name(const struct request *request, unsigned attempt, char ret[PATH_MAX])
{
    const char *name = strrchr(target, '/') + 1;
    (void)snprintf(ret, PATH_MAX, "%.*s.%.*s.batchd-%llu-%u.part", (int)(name - target), target,
                   STAGED_NAME_MAX, name, (unsigned long long)request->job, attempt);
}

static unsigned first_attempt(const struct request *request)
{
    return request->attempt > ATTEMPTS_SWEPT_MAX ? request->attempt - ATTEMPTS_SWEPT_MAX : 1;
}

static void sweep(const struct request *request)
{
    for (unsigned first = first_attempt(request); first <= request->attempt; first++) {
        staged_name(request, first, staged);
        (void)unlink(staged);
    }
}

static int set_target(const char *path)
{
    return snprintf(target, sizeof(target), "%s", path) > PATH_MAX - 64 ? -1 : 0;
}

bool staging_is_left(const struct request *request, const char *path)
{
    char left[PATH_MAX];
    bool found = false;
    if (set_target(path) < 0)
        return false;
    for (unsigned i = first_attempt(request); i <= request->attempt && !found; i++) {
        staged_name(request, i, left);
        found = access(left, F_OK) == 0;
    }
    return found;
}

static int check_target(struct error *err)
{
    struct stat info;
    if (target[strlen(target) - 1] == '/')
        return error_set_field(err, "output", "output is \"%.200s\"; it must name a file", target);
    if (lstat(target, &info) == 0 && !S_ISREG(info.st_mode))
        return error_set(err, ERROR_CONFLICT,
                         "output \"%.200s\" exists and is not a regular file; it is not replaced",
                         target);
    return 0;
}

const char *staging_open(const struct request *request, const char *path, struct error *err)
{
    if (set_target(path) < 0) {
        (void)error_set_field(err, "output", "output is longer than %d bytes", PATH_MAX - 64);
        return NULL;
    }
    if (check_target(err) < 0)
        return NULL;
    if (request->job != 0)
        sweep(request);
    staged_name(request, request->attempt, staged);
    (void)unlink(staged); /* an earlier run by hand may have left it */
    is_open = 1;
    int fd = open(staged, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) {
        is_open = 0;
        (void)error_set_errno(err, "output \"%.200s\" cannot be created", target);
        err->code = ERROR_CONFLICT;
        return NULL;
    }
    (void)close(fd);
    return staged;
}

static int sync_path(const char *path, int flags)
{
    CLEANUP_CLOSE int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

int staging_commit(struct error *err)
{
    CLEANUP_FREE char *folder = xstrdup(target);
    strrchr(folder, '/')[1] = '\0';
    if (sync_path(staged, O_RDONLY) < 0 || rename(staged, target) < 0) {
        (void)error_set_errno(err, "output \"%.200s\"", target);
        err->code = ERROR_IO;
        staging_discard();
        return -1;
    }
    is_open = 0;
    if (sync_path(folder, O_RDONLY | O_DIRECTORY) < 0 && errno != EINVAL && errno != EACCES) {
        (void)error_set_errno(err, "the folder of output \"%.200s\" cannot be synced", target);
        err->code = ERROR_IO;
        return -1;
    }
    return 0;
}

void staging_discard(void)
{
    if (is_open)
        (void)unlink(staged);
    is_open = 0;
}
