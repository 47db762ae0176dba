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
#define INTERVAL_US US_PER_SECOND
/* Of the time that passes, what looking may take where there are many files. */
#define IDLE_TIMES 20
#define FACTS_BYTES 1024
#define TEXT_BYTES 200

/* ---- what there is ---- */

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

/* Up to one file more than there may be. */
static void add_folder(const struct stage_watch *watch, int folder, struct found *ret)
{
    const struct dirent *entry;
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    while (list != NULL && ret->files <= watch->files &&
           (entry = readdir(list)) != NULL) /* NOLINT(concurrency-mt-unsafe)*/
        add_file(folder, entry->d_name, ret);
    if (list != NULL)
        (void)closedir(list);
}

static struct found look_at_folders(const struct stage_watch *watch)
{
    struct found found = {0};
    for (unsigned i = 0; i < STAGE_WATCH_FOLDERS; i++) {
        if (watch->folders[i] >= 0)
            add_folder(watch, watch->folders[i], &found);
    }
    return found;
}

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

/* What it did, for people; false: nothing that it may not. */
static bool does_too_much(const struct stage_watch *watch, char text[TEXT_BYTES])
{
    const struct found found = look_at_folders(watch);
    const uint64_t allowed = bytes_allowed(watch);
    uint64_t written = written_bytes(watch->process);
    /* Where nothing is on its way to a disk (tmpfs, FUSE), or room was taken and not written. */
    written = written < found.bytes ? found.bytes : written;
    if (written > allowed) {
        char done[32];
        char most[32];
        format_size(written, done, sizeof(done));
        format_size(allowed, most, sizeof(most));
        (void)snprintf(text, TEXT_BYTES,
                       "it wrote %s, and %s are the most for its inputs and outputs", done, most);
        return true;
    }
    (void)snprintf(text, TEXT_BYTES, "it keeps more than %u files beside its output", watch->files);
    return found.files > watch->files;
}

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

/* By the stderr of the one that works: to keep that open here would keep whoever waits for its end.
 * Only a pipe: what else may have been put there is not to be written. False: it is dead, and
 * what was looked at may be another's of the same number. */
static bool tell(const struct stage_watch *watch, const char *text)
{
    struct stat is;
    char path[48];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)watch->process, STDERR_FILENO);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (is_dead(watch, 0))
        return false;
    if (fd >= 0 && fstat(fd, &is) == 0 && S_ISFIFO(is.st_mode))
        (void)dprintf(fd, "sandbox: the processor is killed: %s\n", text);
    return true;
}

/* Once it is dead batchd ends this process, too: what it made goes before. */
static void kill_it(struct stage_watch *watch)
{
    atomic_store(&watch->ending, true);
    (void)syscall(SYS_pidfd_send_signal, watch->pidfd, SIGSTOP, NULL, 0);
    watch->clean(watch->arg);
    (void)syscall(SYS_pidfd_send_signal, watch->pidfd, SIGKILL, NULL, 0);
    (void)is_dead(watch, -1);
    watch->clean(watch->arg); /* a call that was under way as it was stopped */
    _exit(0);
}

static void *look_on(void *arg)
{
    char text[TEXT_BYTES];
    struct stage_watch *watch = arg;
    for (int64_t pause = INTERVAL_US; !is_dead(watch, (int)(pause / US_PER_MS));) {
        const int64_t began = clock_monotonic_us();
        if (does_too_much(watch, text) && tell(watch, text))
            kill_it(watch);
        pause = (clock_monotonic_us() - began) * IDLE_TIMES;
        pause = pause < INTERVAL_US ? INTERVAL_US : pause;
    }
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
