#include "processors/lib/publisher.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "processors/lib/output_names.h"
#include "processors/lib/source.h"
#include "processors/lib/stage_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define FDS_LEAST 64
/* Each chunk of a video is a file until all are joined: a day of 120 frames a second, in chunks of
 * 48, is 216,000. */
#define FILES_MAX 250000U

enum what { PLACE, LOOK, MAKE_FOLDER, END };

/* Less than PIPE_BUF: each comes whole, whichever thread or signal handler sends one. */
struct order {
    int what;
    char name[NAME_MAX + 1];
};

static bool read_whole(int fd, void *ret, size_t bytes)
{
    size_t used = 0;
    while (used < bytes) {
        ssize_t got = read(fd, (char *)ret + used, bytes - used);
        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        used += got < 0 ? 0 : (size_t)got;
    }
    return true;
}

/* ---- the process ---- */

/* Where outputs of this name go; -1: it must not be used. */
static int folder_for(const struct publisher_place *place, const char *name)
{
    bool plain = name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
                 strcmp(name, "..") != 0;
    if (place->several)
        return plain && place->names != NULL && output_names_take(place->names, name)
                   ? place->folder
                   : -1;
    return plain && strcmp(name, place->name) == 0 ? place->parent : -1;
}

/* A folder that may be written and not read cannot be synced. */
static int sync_folder(int folder)
{
    CLEANUP_CLOSE int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? 0 : errno;
    return fsync(fd) < 0 && errno != EINVAL ? errno : 0;
}

/* A file, and nothing that can be executed. */
static bool may_be_placed(const struct stat *info)
{
    return S_ISREG(info->st_mode) && (info->st_mode & 07111) == 0;
}

static int place_file(const struct publisher_place *place, const char *name)
{
    struct stat info;
    int folder = folder_for(place, name);
    if (folder < 0)
        return EPERM;
    if (fstatat(place->stage, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return errno;
    if (!may_be_placed(&info))
        return EPERM;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(info.st_mode))
        return ENOTUNIQ;
    if (renameat(place->stage, name, folder, name) < 0)
        return errno;
    /* Whoever was taken over may have put another file there since it was looked at. */
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && !may_be_placed(&info)) {
        (void)unlinkat(folder, name, 0);
        return EPERM;
    }
    return sync_folder(folder);
}

static int look_at(const struct publisher_place *place, const char *name,
                   struct publisher_answer *ret)
{
    struct stat info;
    int folder = folder_for(place, name);
    if (folder < 0)
        return EPERM;
    CLEANUP_CLOSE int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) < 0)
        return errno;
    if (!S_ISREG(info.st_mode))
        return ENOTUNIQ;
    return source_hash(fd, &ret->bytes, ret->sha256) < 0 ? errno : 0;
}

static int make_folder(struct publisher_place *place)
{
    if (place->folder >= 0)
        return 0;
    if (!place->several)
        return EPERM;
    if (mkdirat(place->parent, place->name, 0777) < 0 && errno != EEXIST)
        return errno;
    /* What came there since is followed nowhere. */
    place->folder =
        openat(place->parent, place->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return place->folder < 0 ? errno : 0;
}

/* It is flat: whatever is a folder is not ours. */
static void empty(int flat)
{
    int fd = openat(flat, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) /* NOLINT(concurrency-mt-unsafe) */
        (void)unlinkat(flat, entry->d_name, 0);
    if (folder != NULL)
        (void)closedir(folder);
}

static bool is_gone(int removed)
{
    return removed == 0 || errno == ENOENT;
}

/* Whether nothing is left. */
static bool remove_stage(const struct publisher_place *place)
{
    empty(place->stage);
    const bool gone = is_gone(unlinkat(place->stage_parent, place->stage_name, AT_REMOVEDIR));
    return (place->work == NULL || is_gone(rmdir(place->work))) && gone;
}

/* What the process works with. */
struct own {
    struct publisher_place place;
    struct stage_watch watch;
    bool watches;
};

/* To read a long file is in vain when nobody waits for it, and the next attempt would be kept out
 * of the stage meanwhile. The kernel's own end of it comes with that of the thread that forked us,
 * which one that was taken over can end while others of it write on: so where there is a watch,
 * that ends it. */
static int look_while_needed(struct own *own, const char *name, struct publisher_answer *ret)
{
    atomic_store(&own->watch.in_vain, true);
    if (!own->watches)
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* It may have ended before that. */
    const int failed = getppid() != own->watch.process ? EPIPE : look_at(&own->place, name, ret);
    if (!own->watches)
        (void)prctl(PR_SET_PDEATHSIG, 0);
    atomic_store(&own->watch.in_vain, false);
    return failed;
}

static int obey(struct own *own, const struct order *order, struct publisher_answer *ret)
{
    switch ((enum what)order->what) {
    case PLACE:
        return place_file(&own->place, order->name);
    case LOOK:
        return look_while_needed(own, order->name, ret);
    case MAKE_FOLDER:
        return make_folder(&own->place);
    case END:
        (void)remove_stage(&own->place);
        (void)close(own->place.lock); /* before that is answered: then it is free */
        return 0;
    }
    return EPERM;
}

static void take_orders(struct own *own, int orders, int answers)
{
    struct order order = {.what = PLACE};
    while (order.what != END && read_whole(orders, &order, sizeof(order))) {
        struct publisher_answer answer = {0};
        order.name[NAME_MAX] = '\0';
        answer.failed = obey(own, &order, &answer);
        if (fd_write_all(answers, &answer, sizeof(answer)) < 0)
            return;
    }
}

/* Nothing else is kept open: somebody may wait for the end of it, or it is another lock. */
static void keep_only(int *const *kept, size_t count)
{
    unsigned next = 0;
    for (size_t i = 0; i < count; i++) /* above all of them, so in rising order */
        *kept[i] = *kept[i] < 0 ? -1 : fcntl(*kept[i], F_DUPFD_CLOEXEC, FDS_LEAST);
    for (size_t i = 0; i < count; i++) {
        if (*kept[i] < 0)
            continue;
        (void)close_range(next, (unsigned)*kept[i] - 1, 0);
        next = (unsigned)*kept[i] + 1;
    }
    (void)close_range(next, UINT_MAX, 0);
}

/* Who looks for the job's process by its environment is to find the one that works. */
static void forget_environment(void)
{
    for (char **one = environ; *one != NULL; one++)
        memset(*one, 0, strlen(*one));
}

/* What one that is killed for it made, of which nothing is to be gone on with. */
static bool remove_all(void *arg)
{
    const struct own *own = arg;
    if (own->watch.folders[1] >= 0)
        empty(own->watch.folders[1]);
    return remove_stage(&own->place);
}

/* How that ended is the first answer. */
static void watch_worker(struct own *own, int answers)
{
    own->watch.folders[0] = own->place.stage;
    own->watch.clean = remove_all;
    own->watch.arg = own;
    const struct publisher_answer first = {.failed = stage_watch_start(&own->watch)};
    own->watches = first.failed == 0;
    (void)fd_write_all(answers, &first, sizeof(first));
}

static _Noreturn void be_publisher(struct own *own, int orders, int answers)
{
    sigset_t all;
    struct publisher_place *place = &own->place;
    int *const work = &own->watch.folders[1];
    int *const kept[] = {&place->parent,       &place->folder,    &place->stage, &place->lock, work,
                         &place->stage_parent, &own->watch.pidfd, &orders,       &answers};
    (void)prctl(PR_SET_NAME, "publisher"); /* for ps */
    forget_environment();
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    if (place->work != NULL)
        *work = open(place->work, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    keep_only(kept, sizeof(kept) / sizeof(kept[0]));
    watch_worker(own, answers);
    take_orders(own, orders, answers);
    /* Who waits for the end of the answers has it now. Whoever was taken over may end both, and
     * write on. */
    (void)close(orders);
    (void)close(answers);
    stage_watch_wait(&own->watch);
    _exit(0);
}

/* ---- the one that works ---- */

int publisher_start(const struct publisher_place *place, struct publisher *ret)
{
    int orders[2];
    int answers[2];
    CLEANUP_CLOSE int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    struct own own = {*place,
                      {.process = getpid(),
                       .pidfd = self,
                       .folders = {-1, -1},
                       .files = FILES_MAX,
                       .outputs = 1 + (place->names == NULL ? 0 : place->names->count)},
                      false};
    *ret = (struct publisher){-1, -1};
    if (pipe2(orders, O_CLOEXEC) < 0)
        return -1;
    CLEANUP_CLOSE int theirs_in = orders[0];
    CLEANUP_CLOSE int ours_out = orders[1];
    if (pipe2(answers, O_CLOEXEC) < 0)
        return -1;
    CLEANUP_CLOSE int ours_in = answers[0];
    CLEANUP_CLOSE int theirs_out = answers[1];
    /* Nobody waits for it, and it leaves nothing to be waited for. */
    (void)signal(SIGCHLD, SIG_IGN);
    pid_t process = fork();
    if (process == 0)
        be_publisher(&own, theirs_in, theirs_out);
    if (process < 0)
        return -1;
    *ret = (struct publisher){TAKE_FD(ours_out), TAKE_FD(ours_in)};
    return 0;
}

static struct publisher_answer ask(const struct publisher *publisher, enum what what,
                                   const char *name)
{
    struct publisher_answer answer = {.failed = EPIPE};
    struct order order = {.what = (int)what};
    size_t length = strlen(name);
    if (length > NAME_MAX)
        return (struct publisher_answer){.failed = ENAMETOOLONG};
    memcpy(order.name, name, length);
    if (publisher->orders >= 0 && (fd_write_all(publisher->orders, &order, sizeof(order)) < 0 ||
                                   !read_whole(publisher->answers, &answer, sizeof(answer))))
        answer = (struct publisher_answer){.failed = EPIPE};
    return answer;
}

bool publisher_watches(const struct publisher *publisher)
{
    struct publisher_answer first = {.failed = EPIPE};
    return read_whole(publisher->answers, &first, sizeof(first)) && first.failed == 0;
}

struct publisher_answer publisher_place(const struct publisher *publisher, const char *name)
{
    return ask(publisher, PLACE, name);
}

struct publisher_answer publisher_look(const struct publisher *publisher, const char *name)
{
    return ask(publisher, LOOK, name);
}

struct publisher_answer publisher_make_folder(const struct publisher *publisher)
{
    return ask(publisher, MAKE_FOLDER, "");
}

/* Its last answer may come behind that of another order; then it is gone. */
void publisher_end(struct publisher *publisher)
{
    static const struct order order = {.what = END};
    char ignored[sizeof(struct publisher_answer)];
    if (publisher->orders < 0)
        return;
    if (write(publisher->orders, &order, sizeof(order)) == (ssize_t)sizeof(order)) {
        while (read_whole(publisher->answers, ignored, 1)) {
        }
    }
    (void)close(publisher->orders);
    (void)close(publisher->answers);
    *publisher = (struct publisher){-1, -1};
}
