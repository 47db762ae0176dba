#include "daemon/exec/spawner.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/timers.h"
#include "common/worker_protocol.h"
#include "daemon/exec/channel.h"

#include <event2/event.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

/* One that was started answers soon; then it is looked for less often, and started again. Systemd's
 * is complained about once: somebody stopped it. */
#define LOOK_US 20000
#define LOOK_SLOW_US 500000
#define PATIENCE_US (2 * US_PER_SECOND)
#define PAUSE_MAX_US (60 * US_PER_SECOND)

struct spawner {
    struct event_base *base;
    const char *state_dir, *binary;
    const struct spawner_events *events;
    void *arg;
    struct channel *channel;
    struct event *retry;
    struct record_writer waiting; /* requests made while there is no connection */
    bool sought;                  /* one is, without any */
    int64_t missed_since;         /* monotonic; 0: it is not looked for */
    int64_t start_at;             /* when one may be started again */
    int64_t pause_us;             /* how long after that the next may */
    char problem[200];            /* "": none is known */
    bool complained;
};

static bool missed_long(const struct spawner *spawner)
{
    return spawner->missed_since != 0 && clock_monotonic_us() - spawner->missed_since > PATIENCE_US;
}

static void look_again(struct spawner *spawner)
{
    const struct timeval delay = {.tv_usec = missed_long(spawner) ? LOOK_SLOW_US : LOOK_US};
    event_must_add(spawner->retry, &delay);
}

static void on_record(void *arg, struct record *record)
{
    struct spawner *spawner = arg;
    struct job_folders folders;
    uint64_t worker;
    char text[200];
    if (record->type == MESSAGE_SPAWNED && get_worker_id(record, &worker) == 0) {
        spawner->events->spawned(spawner->arg, worker);
    } else if (record->type == MESSAGE_SWEEP_DONE && get_worker_id(record, &worker) == 0) {
        spawner->events->swept(spawner->arg, worker);
    } else if (record->type == MESSAGE_SPAWN_FAILED &&
               get_spawn_failed(record, &worker, text) == 0) {
        spawner->events->failed(spawner->arg, worker, text);
    } else if (record->type == MESSAGE_JOBS_REMOVED && get_job_folders(record, &folders) == 0) {
        spawner->events->folders(spawner->arg, &folders);
    }
}

static void on_closed(void *arg)
{
    struct spawner *spawner = arg;
    channel_free(spawner->channel);
    spawner->channel = NULL;
    spawner->events->lost(spawner->arg);
}

static const struct channel_events channel_calls = {.record = on_record, .closed = on_closed};

/* The spawner detaches itself (it forks twice), so the process started here ends at once. Nothing
 * of the daemon's but stderr is inherited: every descriptor is close-on-exec. */
static void start_process(struct spawner *spawner)
{
    char name[] = "batchd-worker";
    char option[] = "--spawner";
    char state[] = "--state";
    CLEANUP_FREE char *dir = xstrdup(spawner->state_dir);
    char *argv[] = {name, option, state, dir, NULL};
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    (void)sigemptyset(&none);
    (void)sigfillset(&defaults);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    pid_t pid;
    int code = posix_spawn(&pid, spawner->binary, NULL, &attributes, argv, environ);
    (void)posix_spawnattr_destroy(&attributes);
    int status = 0;
    if (code != 0)
        (void)snprintf(spawner->problem, sizeof(spawner->problem), "cannot start %.120s: %s",
                       spawner->binary, strerrordesc_np(code));
    else if (waitpid(pid, &status, 0) == pid && status != 0 &&
             !(WIFEXITED(status) && WEXITSTATUS(status) == EX_TEMPFAIL)) /* there is another */
        (void)snprintf(spawner->problem, sizeof(spawner->problem), "%.120s ended with status %d",
                       spawner->binary, WIFEXITED(status) ? WEXITSTATUS(status) : status);
}

/* At once when it is missed, then after pauses that double. */
static void start_again(struct spawner *spawner)
{
    int64_t now = clock_monotonic_us();
    if (now < spawner->start_at)
        return;
    spawner->pause_us = spawner->pause_us == 0                 ? PATIENCE_US
                        : spawner->pause_us < PAUSE_MAX_US / 2 ? 2 * spawner->pause_us
                                                               : PAUSE_MAX_US;
    spawner->start_at = now + spawner->pause_us;
    start_process(spawner);
    if (spawner->problem[0] != '\0')
        log_error("%s; it is tried again in %lld s", spawner->problem,
                  (long long)(spawner->pause_us / US_PER_SECOND));
}

static void complain(struct spawner *spawner, const char *path)
{
    (void)snprintf(spawner->problem, sizeof(spawner->problem),
                   "no spawner answers at %.120s; is batchd-worker.service running?", path);
    if (!spawner->complained)
        log_warning("%s", spawner->problem);
    spawner->complained = true;
}

static void found(struct spawner *spawner)
{
    spawner->missed_since = 0;
    spawner->pause_us = spawner->start_at = 0;
    spawner->problem[0] = '\0';
    spawner->complained = spawner->sought = false;
}

static bool is_needed(const struct spawner *spawner)
{
    return spawner->waiting.used > 0 || spawner->sought;
}

static void connect_now(struct spawner *spawner)
{
    CLEANUP_FREE char *path = xasprintf("%s/workers/spawner.sock", spawner->state_dir);
    struct error err;
    int fd = -1;
    if (spawner->channel != NULL || !is_needed(spawner))
        return;
    if (fd_connect_unix(path, &fd, &err) == 0) {
        spawner->channel = channel_new(spawner->base, fd, &channel_calls, spawner);
        struct record_writer *writer = channel_writer(spawner->channel);
        *writer = spawner->waiting;
        spawner->waiting = (struct record_writer){0};
        channel_flush(spawner->channel);
        found(spawner);
        return;
    }
    if (spawner->missed_since == 0)
        spawner->missed_since = clock_monotonic_us();
    if (spawner->binary != NULL)
        start_again(spawner);
    else if (missed_long(spawner))
        complain(spawner, path);
    look_again(spawner);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    connect_now(arg);
}

struct spawner *spawner_new(struct event_base *base, const char *state_dir, const char *binary,
                            const struct spawner_events *events, void *arg)
{
    struct spawner *spawner = xcalloc(1, sizeof(*spawner));
    spawner->base = base;
    spawner->state_dir = state_dir;
    spawner->binary = binary;
    spawner->events = events;
    spawner->arg = arg;
    spawner->retry = evtimer_new(base, on_retry, spawner);
    if (spawner->retry == NULL)
        out_of_memory();
    return spawner;
}

void spawner_free(struct spawner *spawner)
{
    if (spawner == NULL)
        return;
    channel_free(spawner->channel);
    event_free(spawner->retry);
    record_writer_done(&spawner->waiting);
    free(spawner);
}

static struct record_writer *writer_of(struct spawner *spawner)
{
    return spawner->channel != NULL ? channel_writer(spawner->channel) : &spawner->waiting;
}

void spawner_request(struct spawner *spawner, uint64_t worker)
{
    put_spawn(writer_of(spawner), worker);
}

void spawner_sweep(struct spawner *spawner, uint64_t worker)
{
    put_worker_id(writer_of(spawner), MESSAGE_SWEEP, worker);
}

void spawner_remove(struct spawner *spawner, uint64_t worker)
{
    put_worker_id(writer_of(spawner), MESSAGE_REMOVE, worker);
}

void spawner_remove_jobs(struct spawner *spawner, const struct job_folders *folders)
{
    put_job_folders(writer_of(spawner), MESSAGE_REMOVE_JOBS, folders);
}

const char *spawner_problem(const struct spawner *spawner)
{
    return spawner->problem[0] == '\0' ? NULL : spawner->problem;
}

void spawner_flush(struct spawner *spawner)
{
    if (spawner->channel != NULL)
        channel_flush(spawner->channel);
    else if (is_needed(spawner) && evtimer_pending(spawner->retry, NULL) == 0)
        connect_now(spawner);
}

bool spawner_is_there(struct spawner *spawner)
{
    spawner->sought |= spawner->channel == NULL;
    return spawner->channel != NULL;
}
