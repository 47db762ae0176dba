#include "daemon/exec/gpu_watch.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/timers.h"
#include "daemon/exec/channel.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define PAUSE_MIN_MS UINT64_C(1000)
#define PAUSE_MAX_MS UINT64_C(300000)
/* It ends itself when a look takes too long, a little after we would have ended it. */
#define OWN_DEADLINE_MORE_S 2U

struct gpu_watch {
    struct event_base *base;
    struct gpu_watch_options options;
    char *state;             /* the folder's own path: the kernel shows workers' files below it */
    struct channel *channel; /* NULL: there is none now */
    pid_t pid;               /* of our child, until it was waited for; 0: none */
    struct timer *timer;     /* the next question, the end of an answer's time, or the next try */
    bool asked;              /* an answer is waited for */
    uint64_t pause_ms;       /* before the next try */
    struct gpu_report *report, *next;
    bool known;        /* *report is one */
    char trouble[160]; /* "": all is well */
    uint64_t serial;
};

/* ---- the process ---- */

/* True when there is none of ours any more. What hangs in the kernel stays for a while although it
 * was killed. */
static bool reaped(struct gpu_watch *watch)
{
    int status = 0;
    if (watch->pid > 0) {
        const pid_t ended = waitpid(watch->pid, &status, WNOHANG);
        if (ended == watch->pid || (ended < 0 && errno == ECHILD))
            watch->pid = 0;
    }
    return watch->pid == 0;
}

/* As any program has them, whatever batchd heeds and ignores. */
static int spawn_program(const char *program, char *const *argv, int fd, pid_t *ret)
{
    sigset_t all, none;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    if (posix_spawn_file_actions_init(&files) != 0 || posix_spawnattr_init(&how) != 0)
        out_of_memory();
    (void)posix_spawn_file_actions_adddup2(&files, fd, STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&files, fd, STDOUT_FILENO);
    (void)posix_spawnattr_setsigdefault(&how, &all);
    (void)posix_spawnattr_setsigmask(&how, &none);
    (void)posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    const int result = posix_spawn(ret, program, &files, &how, argv, environ);
    (void)posix_spawnattr_destroy(&how);
    (void)posix_spawn_file_actions_destroy(&files);
    return result;
}

static int start_child(struct gpu_watch *watch, int *ret_fd, struct error *err)
{
    const struct gpu_watch_options *options = &watch->options;
    int fds[2];
    const char *argv[] = {"batchd-gpu", "--root", options->root, "--state",
                          watch->state, NULL,     NULL,          NULL};
    if (options->library[0] != '\0') {
        argv[5] = "--library";
        argv[6] = options->library;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return error_set_errno(err, "cannot make a socket for batchd-gpu");
    CLEANUP_CLOSE int mine = fds[0];
    CLEANUP_CLOSE int theirs = fds[1];
    errno = spawn_program(options->program, (char *const *)(uintptr_t)argv, theirs, &watch->pid);
    if (errno != 0) {
        watch->pid = 0;
        return error_set_errno(err, "cannot start %s", options->program);
    }
    *ret_fd = TAKE_FD(mine);
    return 0;
}

/* ---- questions and answers ---- */

static void note_trouble(struct gpu_watch *watch, const char *text)
{
    if (watch->trouble[0] == '\0')
        log_warning("GPUs cannot be looked at: %s", text);
    if (strcmp(watch->trouble, text) != 0)
        watch->serial++;
    (void)snprintf(watch->trouble, sizeof(watch->trouble), "%s", text);
}

/* It is ended; another try is made later. */
static void give_up(struct gpu_watch *watch, const char *text)
{
    note_trouble(watch, text);
    channel_free(watch->channel);
    watch->channel = NULL;
    watch->asked = false;
    if (watch->pid > 0)
        (void)kill(watch->pid, SIGKILL);
    timer_set(watch->timer, watch->pause_ms);
    watch->pause_ms = watch->pause_ms < PAUSE_MAX_MS / 2 ? 2 * watch->pause_ms : PAUSE_MAX_MS;
}

static void on_record(void *arg, struct record *record)
{
    struct gpu_watch *watch = arg;
    struct gpu_report *was = watch->report;
    if (!watch->asked || record->type != MESSAGE_GPU_REPORT ||
        get_gpu_report(record, watch->next) < 0) {
        give_up(watch, "batchd-gpu said what is no report");
        return;
    }
    if (watch->trouble[0] != '\0')
        log_info("GPUs are looked at again");
    watch->trouble[0] = '\0';
    watch->report = watch->next;
    watch->next = was;
    watch->known = true;
    watch->asked = false;
    watch->pause_ms = PAUSE_MIN_MS;
    watch->serial++;
    timer_set(watch->timer, watch->options.interval_ms);
}

static void on_closed(void *arg)
{
    give_up(arg, "batchd-gpu has ended");
}

static void ask(struct gpu_watch *watch)
{
    struct record_writer *writer = channel_writer(watch->channel);
    record_begin(writer, MESSAGE_GPU_LOOK);
    record_put_u32(writer, (uint32_t)(watch->options.deadline_ms / 1000) + OWN_DEADLINE_MORE_S);
    record_end(writer);
    watch->asked = true;
    timer_set(watch->timer, watch->options.deadline_ms);
    channel_flush(watch->channel);
}

static void start(struct gpu_watch *watch)
{
    static const struct channel_events events = {.record = on_record, .closed = on_closed};
    struct error err;
    int fd = -1;
    if (!reaped(watch)) {
        give_up(watch, "batchd-gpu hangs, and cannot be ended");
        return;
    }
    const int result = watch->options.program != NULL
                           ? start_child(watch, &fd, &err)
                           : fd_connect_unix(watch->options.socket, &fd, &err);
    if (result < 0) {
        give_up(watch, err.text);
        return;
    }
    watch->channel = channel_new(watch->base, fd, &events, watch);
    ask(watch);
}

static void on_time(void *arg)
{
    struct gpu_watch *watch = arg;
    char span[32], text[96];
    if (watch->asked) {
        format_span(watch->options.deadline_ms, span, sizeof(span));
        (void)snprintf(text, sizeof(text), "batchd-gpu does not answer within %s", span);
        give_up(watch, text);
    } else if (watch->channel != NULL) {
        ask(watch);
    } else {
        start(watch);
    }
}

struct gpu_watch *gpu_watch_new(struct event_base *base, const struct gpu_watch_options *options)
{
    struct gpu_watch *watch = xcalloc(1, sizeof(*watch));
    *watch = (struct gpu_watch){.base = base,
                                .options = *options,
                                .pause_ms = PAUSE_MIN_MS,
                                .report = xcalloc(1, sizeof(*watch->report)),
                                .next = xcalloc(1, sizeof(*watch->next))};
    watch->state = realpath(options->state, NULL);
    if (watch->state == NULL)
        watch->state = xstrdup(options->state);
    watch->timer = timer_new(base, on_time, watch);
    start(watch);
    return watch;
}

void gpu_watch_free(struct gpu_watch *watch)
{
    if (watch == NULL)
        return;
    channel_free(watch->channel); /* it ends when its input does */
    if (watch->pid > 0)
        (void)kill(watch->pid, SIGKILL);
    (void)reaped(watch);
    timer_free(watch->timer);
    free(watch->report);
    free(watch->next);
    free(watch->state);
    free(watch);
}

const struct gpu_report *gpu_watch_report(const struct gpu_watch *watch)
{
    return watch == NULL || !watch->known ? NULL : watch->report;
}

const char *gpu_watch_trouble(const struct gpu_watch *watch)
{
    return watch == NULL || watch->trouble[0] == '\0' ? NULL : watch->trouble;
}

uint64_t gpu_watch_serial(const struct gpu_watch *watch)
{
    return watch == NULL ? 0 : watch->serial;
}
