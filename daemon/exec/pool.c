#include "daemon/exec/pool.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/timers.h"
#include "daemon/exec/channel.h"
#include "daemon/exec/pool_workers.h"
#include "daemon/exec/spawner.h"
#include "daemon/exec/worker_log.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* How often a dead worker's lock, or a worker that does not answer yet, is looked at again. */
#define RETRY_US (20 * US_PER_MS)
/* A worker that dies sooner, and has ended no job, died for a reason that the next may share. */
#define EARLY_US (10 * US_PER_SECOND)

struct worker *pool_find(const struct pool *pool, uint64_t id)
{
    struct worker *worker = pool->workers;
    while (worker != NULL && worker->id != id)
        worker = worker->next;
    return worker;
}

static void look_again(struct worker *worker)
{
    const struct timeval delay = {.tv_usec = RETRY_US};
    event_must_add(worker->retry, &delay);
}

static char *worker_path(const struct worker *worker, const char *name)
{
    return xasprintf("%s/workers/%llu%s%s", worker->pool->options.state_dir,
                     (unsigned long long)worker->id, name[0] == '\0' ? "" : "/", name);
}

static void note_death(struct worker *worker, const char *why)
{
    struct replacement *replacement = &worker->pool->replacement;
    int64_t now = clock_monotonic_us();
    int64_t lived = now - worker->made_at;
    char span[32];
    format_span((uint64_t)(lived / US_PER_MS), span, sizeof(span));
    if (why != NULL)
        (void)snprintf(replacement->last, sizeof(replacement->last),
                       "worker %llu could not be made: %.120s", (unsigned long long)worker->id,
                       why);
    else if (worker->made_at == 0)
        (void)snprintf(replacement->last, sizeof(replacement->last), "worker %llu died",
                       (unsigned long long)worker->id);
    else
        (void)snprintf(replacement->last, sizeof(replacement->last),
                       "worker %llu died %s after it was made", (unsigned long long)worker->id,
                       span);
    replacement->last_at = clock_wall_us();
    replacement_died(replacement, worker->made_at,
                     why != NULL || (worker->done == 0 && lived < EARLY_US), now);
    if (replacement->next_at <= now)
        return;
    int64_t left = replacement->next_at - now;
    const struct timeval pause = {.tv_sec = left / US_PER_SECOND, .tv_usec = left % US_PER_SECOND};
    event_must_add(worker->pool->pause, &pause);
    log_warning("%s; the next is made in %lld ms", replacement->last,
                (long long)(left / US_PER_MS));
}

/* `why`: it was never made; NULL: it has died. */
static void mark_gone(struct worker *worker, const char *why)
{
    bool never_made = why != NULL;
    if (worker->state != WORKER_LEAVING)
        note_death(worker, why);
    worker->state = WORKER_GONE;
    worker->pool->events->gone(worker->pool->arg, worker->id, never_made);
}

/* ---- what a worker says ---- */

static void on_hello(struct worker *worker, struct record *record)
{
    struct worker_hello hello;
    if (get_hello(record, &hello) < 0 || hello.worker != worker->id) {
        log_error("worker %llu introduced itself wrongly", (unsigned long long)worker->id);
        return;
    }
    if (worker->state == WORKER_WANTED)
        worker->state = WORKER_READY;
    worker->idle_since = clock_monotonic_us();
    worker->introduced = true;
    worker->pid = hello.pid;
    worker->ended = hello.ended;
    worker->failed = hello.failed;
    if (worker->pool->options.watch_ms > 0)
        put_watch(channel_writer(worker->channel), worker->pool->options.watch_ms);
    worker->pool->events->hello(worker->pool->arg, worker->id, &hello);
}

static void on_progress(struct worker *worker, struct record *record)
{
    struct attempt_id id;
    const void *data;
    size_t bytes;
    if (get_progress(record, &id, &data, &bytes) == 0)
        worker->pool->events->progress(worker->pool->arg, worker->id, &id, data, bytes);
}

static void on_notes(const struct worker *worker, struct record *record)
{
    struct attempt_id id;
    struct job_notes notes;
    if (get_notes(record, &id, &notes) == 0)
        worker->pool->events->notes(worker->pool->arg, &id, &notes);
}

/* It says again what was not acknowledged, and has not counted that yet (struct worker_hello). */
static void on_exited(struct worker *worker, const struct job_exit *end)
{
    worker->ended++;
    worker->failed += job_exit_failed(end);
    worker->pool->events->exited(worker->pool->arg, worker->id, end);
}

static void on_usage(const struct worker *worker, struct record *record)
{
    struct attempt_id id;
    struct job_usage usage;
    if (get_usage(record, &id, &usage) == 0)
        worker->pool->events->usage(worker->pool->arg, &id, &usage);
}

/* Those of before do not say it. */
static void on_binds(struct worker *worker, struct record *record)
{
    if (get_binds(record, &worker->bindable) < 0)
        return;
    worker->binds = true;
    worker->pool->binds_told++;
}

static void on_record(void *arg, struct record *record)
{
    struct worker *worker = arg;
    const struct pool_events *events = worker->pool->events;
    struct job_started started;
    struct job_exit end;
    struct job_dropped dropped;
    if (record->type == MESSAGE_HELLO)
        on_hello(worker, record);
    else if (record->type == MESSAGE_STARTED && get_started(record, &started) == 0)
        events->started(worker->pool->arg, worker->id, &started);
    else if (record->type == MESSAGE_EXITED && get_exit(record, &end) == 0)
        on_exited(worker, &end);
    else if (record->type == MESSAGE_DROPPED && get_dropped(record, &dropped) == 0)
        events->dropped(worker->pool->arg, worker->id, &dropped);
    else if (record->type == MESSAGE_PROGRESS)
        on_progress(worker, record);
    else if (record->type == MESSAGE_NOTES)
        on_notes(worker, record);
    else if (record->type == MESSAGE_USAGE)
        on_usage(worker, record);
    else if (record->type == MESSAGE_BINDS)
        on_binds(worker, record);
    else
        log_warning("worker %llu sent an unknown record of type %u", (unsigned long long)worker->id,
                    record->type);
}

static void on_closed(void *arg)
{
    struct worker *worker = arg;
    channel_free(worker->channel);
    worker->channel = NULL;
    worker->introduced = false;
    worker->pid = 0;
    look_again(worker);
}

static const struct channel_events worker_events = {.record = on_record, .closed = on_closed};

/* A spawner can prove the tree of a worker dead that another one made: root's always, another where
 * the worker has a control group. */
static bool can_sweep(const struct worker *worker)
{
    CLEANUP_FREE char *group = worker_path(worker, "cgroup");
    return pool_spawner_is_root(worker->pool) || access(group, F_OK) == 0;
}

/* False while the spawner is still to say whether the tree of this dead worker is dead too: the one
 * that made it may have died before. */
static bool tree_judged(struct worker *worker)
{
    struct error err;
    if (!can_sweep(worker) || worker->sweep == SWEEP_ANSWERED)
        return true;
    struct worker_log *log = worker_log_load(worker->pool->options.state_dir, worker->id, &err);
    bool swept = log != NULL && worker_log_swept(log);
    worker_log_free(log);
    if (!swept && worker->sweep == SWEEP_NOT_ASKED) {
        worker->sweep = SWEEP_ASKED;
        spawner_sweep(worker->pool->spawner, worker->id);
    }
    return swept;
}

/* Connects if it listens; else, a free lock proves it and its tree dead. A held lock means that it
 * is coming up, or dying, or being swept: look again. */
static void look_at_worker(struct worker *worker)
{
    CLEANUP_FREE char *sock = worker_path(worker, "sock");
    CLEANUP_FREE char *lock = worker_path(worker, "lock");
    struct error err;
    int fd = -1;
    if (worker->channel != NULL || worker->state == WORKER_GONE)
        return;
    if (fd_connect_unix(sock, &fd, &err) == 0) {
        worker->channel = channel_new(worker->pool->base, fd, &worker_events, worker);
        return;
    }
    int held = fd_lock_held(AT_FDCWD, lock);
    bool no_folder = held < 0 && errno == ENOENT && worker->told;
    if (no_folder || (held == 0 && tree_judged(worker)))
        mark_gone(worker, NULL);
    else if (worker->sweep != SWEEP_ASKED)
        look_again(worker);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    look_at_worker(arg);
}

static struct worker *add(struct pool *pool, uint64_t id, const struct worker_facts *facts)
{
    struct worker *worker = xcalloc(1, sizeof(*worker));
    worker->pool = pool;
    worker->id = id;
    worker->state = WORKER_WANTED;
    worker->facts = *facts;
    worker->retry = evtimer_new(pool->base, on_retry, worker);
    if (worker->retry == NULL)
        out_of_memory();
    worker->next = pool->workers;
    pool->workers = worker;
    return worker;
}

static void destroy(struct worker *worker)
{
    channel_free(worker->channel);
    event_free(worker->retry);
    free(worker);
}

/* ---- the spawner's answers ---- */

static void on_spawned(void *arg, uint64_t id)
{
    struct worker *worker = pool_find(arg, id);
    if (worker == NULL)
        return;
    worker->told = true;
    worker->spawner = worker->pool->spawners;
    worker->made_at = clock_monotonic_us(); /* there may have been no spawner for long */
    look_at_worker(worker);
}

static void on_spawn_failed(void *arg, uint64_t id, const char *text)
{
    struct worker *worker = pool_find(arg, id);
    log_error("worker %llu could not be started: %s", (unsigned long long)id, text);
    if (worker != NULL)
        mark_gone(worker, text);
}

static void on_swept(void *arg, uint64_t id)
{
    struct worker *worker = pool_find(arg, id);
    if (worker == NULL || worker->sweep != SWEEP_ASKED)
        return;
    worker->sweep = SWEEP_ANSWERED;
    look_at_worker(worker);
}

/* A spawner that died may or may not have made what it was asked for. A worker whose folder is
 * there is looked at by its lock; the others are asked for again: an existing folder refuses a
 * second. */
static void on_spawner_lost(void *arg)
{
    struct pool *pool = arg;
    pool->spawners++;
    for (struct worker *worker = pool->workers; worker != NULL; worker = worker->next) {
        if (worker->sweep == SWEEP_ASKED) {
            worker->sweep = SWEEP_NOT_ASKED;
            look_again(worker);
        }
        if (worker->state != WORKER_WANTED || worker->told)
            continue;
        CLEANUP_FREE char *folder = worker_path(worker, "");
        worker->told = access(folder, F_OK) == 0;
        if (worker->told)
            look_again(worker);
        else
            spawner_request(pool->spawner, worker->id);
    }
    if (pool_spawner_is_root(pool)) /* what it was asked to remove */
        pool_remove_unknown(pool);
    if (pool->folders.count > 0)
        spawner_remove_jobs(pool->spawner, &pool->folders);
}

static void on_folders(void *arg, const struct job_folders *folders)
{
    struct pool *pool = arg;
    pool->folders.count = 0;
    pool->events->folders(pool->arg, folders);
}

/* The turn that follows makes it. */
static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

static const struct spawner_events spawner_answers = {.spawned = on_spawned,
                                                      .failed = on_spawn_failed,
                                                      .swept = on_swept,
                                                      .folders = on_folders,
                                                      .lost = on_spawner_lost};

/* ---- public ---- */

struct pool *pool_new(struct event_base *base, const struct pool_options *options,
                      const struct pool_events *events, void *arg)
{
    struct pool *pool = xcalloc(1, sizeof(*pool));
    pool->base = base;
    pool->options = *options;
    pool->events = events;
    pool->arg = arg;
    pool->spawners = 1;
    pool->pause = evtimer_new(base, on_pause_over, pool);
    if (pool->pause == NULL)
        out_of_memory();
    pool->spawner =
        spawner_new(base, options->state_dir, options->worker_binary, &spawner_answers, pool);
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->workers != NULL) {
        struct worker *worker = pool->workers;
        pool->workers = worker->next;
        destroy(worker);
    }
    spawner_free(pool->spawner);
    event_free(pool->pause);
    free(pool);
}

void pool_spawn(struct pool *pool, uint64_t id, const struct worker_facts *facts)
{
    struct worker *worker = add(pool, id, facts);
    worker->made_at = clock_monotonic_us();
    worker->spawner = pool->spawners;
    spawner_request(pool->spawner, id);
}

void pool_adopt(struct pool *pool, uint64_t id, const struct worker_facts *facts)
{
    struct worker *worker = add(pool, id, facts);
    worker->told = true;
    look_again(worker);
}

void pool_forget(struct pool *pool, uint64_t id)
{
    struct worker **link = &pool->workers;
    while (*link != NULL && (*link)->id != id)
        link = &(*link)->next;
    struct worker *worker = *link;
    if (worker == NULL)
        return;
    pool_remove_folder(pool, id);
    *link = worker->next;
    destroy(worker);
}

void pool_load(struct pool *pool, uint64_t id, const struct job_kind *kind)
{
    struct worker *worker = pool_find(pool, id);
    if (worker == NULL)
        return;
    worker->kind = *kind;
    worker->load++;
}

void pool_unload(struct pool *pool, uint64_t id)
{
    struct worker *worker = pool_find(pool, id);
    if (worker == NULL)
        return;
    worker->load--;
    if (worker->load == 0)
        worker->idle_since = clock_monotonic_us();
}

void pool_rest(struct pool *pool, uint64_t id, uint32_t rest_ms)
{
    struct worker *worker = pool_find(pool, id);
    if (worker != NULL)
        worker->rest_until = clock_monotonic_us() + (int64_t)rest_ms * US_PER_MS;
}

void pool_note_end(struct pool *pool, uint64_t id)
{
    struct worker *worker = pool_find(pool, id);
    if (worker == NULL)
        return;
    worker->done++;
    replacement_well(&pool->replacement);
}

void pool_health(const struct pool *pool, struct pool_health *ret)
{
    const struct replacement *replacement = &pool->replacement;
    int64_t now = clock_monotonic_us();
    bool pausing = replacement->row > 0 && replacement->next_at > now;
    *ret =
        (struct pool_health){.deaths = replacement->deaths,
                             .last_death_at = replacement->last_at,
                             .last_death = replacement->last_at == 0 ? NULL : replacement->last,
                             .next_at = pausing ? clock_wall_us() + replacement->next_at - now : 0,
                             .spawner = spawner_problem(pool->spawner)};
}

void pool_note_run(struct pool *pool, uint64_t id, uint64_t run_us)
{
    struct worker *worker = pool_find(pool, id);
    if (worker == NULL)
        return;
    uint64_t before = worker->recent_run_us > 0 ? worker->recent_run_us : run_us;
    worker->recent_run_us = (before * 7 + run_us) / 8 + 1;
}

/* One that was connected and is not: it comes again, or its lock will tell that it is dead. */
static const char *state_word(const struct worker *worker)
{
    if (worker->state == WORKER_GONE || (worker->state == WORKER_READY && worker->channel == NULL))
        return "lost";
    if (worker->state == WORKER_LEAVING)
        return "leaving";
    if (worker->facts.drain != WORKER_DRAIN_NO)
        return "draining";
    if (worker->state == WORKER_WANTED)
        return "starting";
    return worker->load > 0 ? "busy" : "idle";
}

void pool_each(const struct pool *pool, pool_view_fn each, void *arg)
{
    for (const struct worker *worker = pool->workers; worker != NULL; worker = worker->next) {
        const struct pool_worker_view view = {.id = worker->id,
                                              .state = state_word(worker),
                                              .load = worker->load,
                                              .ended = worker->ended,
                                              .failed = worker->failed,
                                              .pid = worker->pid,
                                              .facts = worker->facts};
        each(arg, &view);
    }
}
