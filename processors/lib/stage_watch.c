#include "processors/lib/stage_watch.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is written before the output is whole: its chunks, itself, once more what stands behind the
 * index that is put in front of it (MP4, MOV), and chunks that are made again. */
#define TIMES_WRITTEN 4
/* Beside that: the journal and previews, which no limit of an output says anything of. */
#define SPARE_BYTES (256ULL << 20)
#define BLOCK_BYTES 512 /* stat(3type) */
#define INTERVAL_MS 1000
/* Files are not listed again for so many times as long as that took of a processor: not so many of
 * the time that passed, which is the longer the more the other one does, or the job is halted. But
 * never for less than that: a listing may have waited for a disk or a server. */
#define IDLE_TIMES 20
#define IDLE_MAX_US (10 * US_PER_SECOND)
/* How long a call that was under way as the other was stopped may go on before it is killed. */
#define CLEAN_US US_PER_SECOND
#define CLEAN_PAUSE_MS 2
#define FACTS_BYTES 1024
#define TEXT_BYTES 200

/* ---- the end ---- */

/* True: dead, or -1: nobody knows. */
static bool is_dead(const struct stage_watch *watch, int wait_ms)
{
    struct pollfd death = {.fd = watch->pidfd, .events = POLLIN};
    int ready;
    while ((ready = poll(&death, 1, wait_ms)) < 0 && errno == EINTR) {
    }
    return ready != 0;
}

/* That of any thread: the first one may have ended, and then has none. */
static int open_stderr(const struct stage_watch *watch)
{
    int fd = -1;
    char path[48];
    const struct dirent *thread;
    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)watch->process);
    DIR *threads = opendir(path);
    while (fd < 0 && threads != NULL &&
           (thread = readdir(threads)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        (void)snprintf(path, sizeof(path), "%.20s/fd/%d", thread->d_name, STDERR_FILENO);
        fd = openat(dirfd(threads), path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }
    if (threads != NULL)
        (void)closedir(threads);
    return fd;
}

/* By the stderr of the one that works: to keep that open here would keep whoever waits for its end.
 * Only a pipe: what else may have been put there is not to be written. False: it is dead, and
 * what was looked at may be another's of the same number. */
static bool tell(const struct stage_watch *watch, const char *text)
{
    struct stat is;
    CLEANUP_CLOSE int fd = open_stderr(watch);
    if (is_dead(watch, 0))
        return false;
    if (fd >= 0 && fstat(fd, &is) == 0 && S_ISFIFO(is.st_mode))
        (void)dprintf(fd, "sandbox: the processor is killed: %s\n", text);
    return true;
}

/* Of one that is being stopped: a call of it that is under way still makes files. */
static bool clean_up(const struct stage_watch *watch)
{
    bool gone = watch->clean(watch->arg);
    const int64_t until = clock_monotonic_us() + CLEAN_US;
    while (!gone && clock_monotonic_us() < until && !is_dead(watch, CLEAN_PAUSE_MS))
        gone = watch->clean(watch->arg);
    return gone;
}

/* Once it is dead batchd ends this process, too: what it made goes before. */
static _Noreturn void kill_it(struct stage_watch *watch)
{
    atomic_store(&watch->ending, true);
    (void)syscall(SYS_pidfd_send_signal, watch->pidfd, SIGSTOP, NULL, 0);
    const bool gone = clean_up(watch);
    (void)syscall(SYS_pidfd_send_signal, watch->pidfd, SIGKILL, NULL, 0);
    (void)is_dead(watch, -1);
    if (!gone)
        (void)watch->clean(watch->arg);
    _exit(0);
}

/* ---- its bytes ---- */

/* Bytes on their way to a disk, whatever became of the file: one that has no name any more is in no
 * folder (proc(5), /proc/PID/io). 0: nobody knows. */
static uint64_t written_bytes(pid_t process)
{
    static const char word[] = "\nwrite_bytes: ";
    char path[32];
    char facts[FACTS_BYTES + 1];
    (void)snprintf(path, sizeof(path), "/proc/%d/io", (int)process);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, facts, FACTS_BYTES);
    if (got < 0)
        return 0;
    facts[got] = '\0';
    const char *found = strstr(facts, word);
    return found != NULL ? strtoull(found + sizeof(word) - 1, NULL, 10) : 0;
}

/* The size that each of its files may have, as the kernel has it (sandbox.h), for each output as
 * often as it is written. UINT64_MAX: no limit. */
static uint64_t bytes_allowed(const struct stage_watch *watch)
{
    struct rlimit limit;
    uint64_t allowed;
    if (prlimit(watch->process, RLIMIT_FSIZE, NULL, &limit) < 0 ||
        limit.rlim_cur == RLIM_INFINITY ||
        __builtin_mul_overflow((uint64_t)limit.rlim_cur, TIMES_WRITTEN * watch->outputs,
                               &allowed) ||
        __builtin_add_overflow(allowed, SPARE_BYTES, &allowed))
        return UINT64_MAX;
    return allowed;
}

static void judge_bytes(struct stage_watch *watch, uint64_t bytes)
{
    char text[TEXT_BYTES];
    char done[32];
    char most[32];
    const uint64_t allowed = bytes_allowed(watch);
    if (bytes <= allowed)
        return;
    format_size(bytes, done, sizeof(done));
    format_size(allowed, most, sizeof(most));
    (void)snprintf(text, sizeof(text),
                   "it wrote %s, and %s are the most for its inputs and outputs", done, most);
    if (tell(watch, text))
        kill_it(watch);
}

static void look_at_bytes(struct stage_watch *watch)
{
    watch->written_at = clock_monotonic_us() + INTERVAL_MS * US_PER_MS;
    judge_bytes(watch, written_bytes(watch->process));
}

/* ---- its files ---- */

struct found {
    unsigned files;
    uint64_t bytes; /* on the disk */
};

static void add_file(int folder, const char *name, struct found *ret)
{
    struct stat is;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return;
    ret->files++;
    if (fstatat(folder, name, &is, AT_SYMLINK_NOFOLLOW) == 0)
        ret->bytes += (uint64_t)is.st_blocks * BLOCK_BYTES;
}

/* Up to one file more than there may be. Its bytes are looked at meanwhile, however long this is
 * made to take. False: it died, and nobody waits for the rest. */
static bool add_folder(struct stage_watch *watch, int folder, struct found *ret)
{
    const struct dirent *entry;
    bool dead = false;
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    while (list != NULL && !dead && ret->files <= watch->files &&
           (entry = readdir(list)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        add_file(folder, entry->d_name, ret);
        if (clock_monotonic_us() < watch->written_at)
            continue;
        dead = is_dead(watch, 0);
        look_at_bytes(watch);
    }
    if (list != NULL)
        (void)closedir(list);
    return !dead;
}

static struct found list_folders(struct stage_watch *watch)
{
    struct found found = {0};
    bool alive = true;
    for (unsigned i = 0; alive && i < STAGE_WATCH_FOLDERS; i++)
        alive = watch->folders[i] < 0 || add_folder(watch, watch->folders[i], &found);
    return found;
}

static int64_t pause_end(int64_t began, int64_t worked)
{
    const int64_t ended = clock_monotonic_us();
    const int64_t by_work = (clock_thread_us() - worked) * IDLE_TIMES;
    const int64_t by_clock = ended - began;
    const int64_t idle = by_work > by_clock ? by_work : by_clock;
    return ended + (idle < IDLE_MAX_US ? idle : IDLE_MAX_US);
}

/* When they are to be looked at again. */
static int64_t look_at_files(struct stage_watch *watch)
{
    char text[TEXT_BYTES];
    const int64_t began = clock_monotonic_us();
    const int64_t worked = clock_thread_us();
    const struct found found = list_folders(watch);
    /* Where nothing is on its way to a disk (tmpfs, FUSE), or room was taken and not written. */
    judge_bytes(watch, found.bytes);
    (void)snprintf(text, sizeof(text), "it keeps more than %u files beside its output",
                   watch->files);
    if (found.files > watch->files && tell(watch, text))
        kill_it(watch);
    return pause_end(began, worked);
}

/* ---- the thread ---- */

static void *look_on(void *arg)
{
    struct stage_watch *watch = arg;
    int64_t list_at = 0;
    while (!is_dead(watch, INTERVAL_MS)) {
        look_at_bytes(watch);
        if (clock_monotonic_us() >= list_at)
            list_at = look_at_files(watch);
    }
    if (atomic_load(&watch->in_vain))
        _exit(0);
    return NULL;
}

int stage_watch_start(struct stage_watch *watch)
{
    pthread_t thread;
    if (watch->pidfd < 0)
        return ENOSYS;
    int failed = pthread_create(&thread, NULL, look_on, watch);
    if (failed == 0)
        (void)pthread_detach(thread);
    return failed;
}

void stage_watch_wait(struct stage_watch *watch)
{
    if (watch->pidfd >= 0)
        (void)is_dead(watch, -1);
    while (atomic_load(&watch->ending))
        (void)pause();
}
