#include "daemon/exec/spawner.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/worker_protocol.h"
#include "daemon/exec/channel.h"

#include <event2/event.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define RETRY_US 20000
/* A started spawner that has not answered after this many looks (2 s) is started again; systemd's
 * is then complained about once, and looked for less often: somebody stopped it. */
#define LOOKS_BEFORE_START 100
#define RETRY_SLOW_US 500000

struct spawner {
    struct event_base *base;
    const char *state_dir, *binary;
    const struct spawner_events *events;
    void *arg;
    struct channel *channel;
    struct event *retry;
    struct record_writer waiting; /* requests made while there is no connection */
    unsigned looks;
};

static void look_again(struct spawner *spawner)
{
    bool slow = spawner->binary == NULL && spawner->looks > LOOKS_BEFORE_START;
    const struct timeval delay = {.tv_usec = slow ? RETRY_SLOW_US : RETRY_US};
    (void)event_add(spawner->retry, &delay);
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
    spawner->looks = 0;
    spawner->events->lost(spawner->arg);
}

static const struct channel_events channel_calls = {.record = on_record, .closed = on_closed};

/* The spawner detaches itself (it forks twice), so the process started here ends at once. Nothing
 * of the daemon's but stderr is inherited: every descriptor is close-on-exec. */
static void start_process(const struct spawner *spawner)
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
        log_error("cannot start %s: %s", spawner->binary, strerrordesc_np(code));
    else if (waitpid(pid, &status, 0) == pid && status != 0)
        log_debug("a spawner could not start (status %d)", status);
}

static void connect_now(struct spawner *spawner)
{
    CLEANUP_FREE char *path = xasprintf("%s/workers/spawner.sock", spawner->state_dir);
    struct error err;
    int fd = -1;
    if (spawner->channel != NULL || spawner->waiting.used == 0)
        return;
    if (fd_connect_unix(path, &fd, &err) == 0) {
        spawner->channel = channel_new(spawner->base, fd, &channel_calls, spawner);
        struct record_writer *writer = channel_writer(spawner->channel);
        *writer = spawner->waiting;
        spawner->waiting = (struct record_writer){0};
        channel_flush(spawner->channel);
        spawner->looks = 0;
        return;
    }
    if (spawner->binary != NULL && spawner->looks % LOOKS_BEFORE_START == 0)
        start_process(spawner);
    if (spawner->binary == NULL && spawner->looks == LOOKS_BEFORE_START)
        log_warning("no spawner answers at %s; is batchd-worker.service running?", path);
    spawner->looks++;
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
        abort();
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

void spawner_flush(struct spawner *spawner)
{
    if (spawner->channel != NULL)
        channel_flush(spawner->channel);
    else if (spawner->waiting.used > 0 && evtimer_pending(spawner->retry, NULL) == 0)
        connect_now(spawner);
}
