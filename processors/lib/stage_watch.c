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
#include <time.h>
#include <unistd.h>

/* What is written before the output is whole: its chunks, and itself. */
#define TIMES_WRITTEN 2
#define INTERVAL_US US_PER_SECOND
/* Of the time that passes, what looking may take where there are many files. */
#define IDLE_TIMES 20
#define FACTS_BYTES 1024
#define NS_PER_US 1000
#define TEXT_BYTES 200

/* ---- what there is ---- */

static unsigned count_files(int folder, unsigned limit)
{
    unsigned count = 0;
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    while (list != NULL && count < limit &&
           readdir(list) != NULL) /* NOLINT(concurrency-mt-unsafe)*/
        count++;
    if (list != NULL)
        (void)closedir(list);
    return count;
}

static bool has_too_many(const struct stage_watch *watch)
{
    unsigned count = 0;
    for (unsigned i = 0; i < STAGE_WATCH_FOLDERS; i++)
        count += watch->folders[i] < 0 ? 0 : count_files(watch->folders[i], watch->files + 1);
    return count > watch->files;
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
        __builtin_mul_overflow((uint64_t)limit.rlim_cur, TIMES_WRITTEN * watch->outputs, &allowed))
        return UINT64_MAX;
    return allowed;
}

/* What it did, for people; false: nothing that it may not. */
static bool does_too_much(const struct stage_watch *watch, char text[TEXT_BYTES])
{
    const uint64_t written = written_bytes(watch->process);
    const uint64_t allowed = bytes_allowed(watch);
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
    return has_too_many(watch);
}

/* ---- the end ---- */

/* By the stderr of the one that works: to keep that open here would keep whoever waits for its end.
 * Only a pipe: what else may have been put there is not to be written. */
static void tell(const struct stage_watch *watch, const char *text)
{
    struct stat is;
    char path[48];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)watch->process, STDERR_FILENO);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &is) == 0 && S_ISFIFO(is.st_mode))
        (void)dprintf(fd, "sandbox: the processor is killed: %s\n", text);
}

static void kill_it(struct stage_watch *watch)
{
    struct pollfd death = {.fd = watch->pidfd, .events = POLLIN};
    atomic_store(&watch->ending, true);
    (void)syscall(SYS_pidfd_send_signal, watch->pidfd, SIGKILL, NULL, 0);
    while (poll(&death, 1, -1) < 0 && errno == EINTR) {
    }
    watch->end(watch->arg);
}

static void pause_us(int64_t us)
{
    const struct timespec time = {.tv_sec = us / US_PER_SECOND,
                                  .tv_nsec = us % US_PER_SECOND * NS_PER_US};
    (void)nanosleep(&time, NULL);
}

static void *look_on(void *arg)
{
    char text[TEXT_BYTES];
    struct stage_watch *watch = arg;
    for (int64_t pause = INTERVAL_US, began = 0;;) {
        pause_us(pause);
        began = clock_monotonic_us();
        if (does_too_much(watch, text)) {
            tell(watch, text);
            kill_it(watch);
        }
        pause = (clock_monotonic_us() - began) * IDLE_TIMES;
        pause = pause < INTERVAL_US ? INTERVAL_US : pause;
    }
    return NULL;
}

void stage_watch_start(struct stage_watch *watch)
{
    pthread_t thread;
    if (watch->pidfd >= 0 && pthread_create(&thread, NULL, look_on, watch) == 0)
        (void)pthread_detach(thread);
}

bool stage_watch_is_ending(struct stage_watch *watch)
{
    return atomic_load(&watch->ending);
}
