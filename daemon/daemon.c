#include "daemon/daemon.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/timers.h"
#include "common/worker_protocol.h"
#include "daemon/api/api.h"
#include "daemon/api/metrics.h"
#include "daemon/core/job_request.h"
#include "daemon/core/meters.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/gpu_places.h"
#include "daemon/engine/oldest.h"
#include "daemon/exec/gpu_watch.h"
#include "daemon/net/listener.h"
#include "daemon/resources/disk.h"
#include "daemon/resources/gpu_devices.h"
#include "daemon/resources/machine.h"
#include "daemon/resources/monitor.h"
#include "daemon/store/check.h"
#include "daemon/store/store_file.h"
#include "daemon/sockets.h"
#include "daemon/user_shares.h"
#include "daemon/web/http_server.h"

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <sysexits.h>
#include <unistd.h>

/* Housekeeping: idle workers leave, STATUS is told. */
#define TICK_MS 1000
/* batchd-gpu.socket */
#define GPU_SOCKET "/run/batchd/gpu.sock"
/* Slurm's default is 500 (bf_max_job_test); with 1,000 a round stays under 0.1 ms. */
#define BACKFILL_DEPTH 1000
#define WORKERS_MAX 4096U /* as workers.max */
/* How close two commits may be when no client waits for the second. */
#define PACE_US 2000
/* How often a full disk is looked at. */
#define ROOM_LOOK_NS 200000000

struct daemon {
    struct event_base *base;
    struct event *on_term, *on_int, *on_hup;
    struct timer *tick;
    struct db *db;
    struct engine *engine;
    struct api *api;
    struct listener *listener;
    struct monitor *monitor;
    struct gpu_watch *gpus; /* NULL: they are not looked at */
    struct engine_options engine_options;
    struct user_shares *shares;
    struct api_options api_options;
    char boot_id[40];
    char *socket_path; /* made by us, to be removed; NULL: systemd's; as the next */
    char *http_path;
    struct meters *meters;
    struct http_server *http;
    uint32_t http_users;
    int64_t tick_due; /* monotonic */
    int lock_fd;
    size_t told_running, told_waiting; /* in STATUS */
    uint64_t watchdog_us;              /* 0: none asked for */
    int64_t watchdog_next;
    struct event *pace;   /* ends a turn that stayed open */
    int64_t committed_at; /* monotonic */
    bool ending;
    bool shrink; /* the store's WAL, after the next commit */
};

int daemon_exit_status(const struct error *err)
{
    switch (err->code) {
    case ERROR_BUSY:
    case ERROR_DRAINING:
        return EX_TEMPFAIL;
    case ERROR_DAMAGED:
        return EX_DATAERR;
    case ERROR_INVALID:
        return EX_CONFIG;
    case ERROR_NOT_FOUND:
    case ERROR_UNREACHABLE:
        return EX_UNAVAILABLE;
    case ERROR_NONE:
    case ERROR_DENIED:
    case ERROR_CONFLICT:
    case ERROR_LIMIT:
    case ERROR_PROTOCOL:
    case ERROR_IO:
    case ERROR_INTERNAL:
    case ERROR_CODE_COUNT:
        break;
    }
    return EX_IOERR;
}

static void on_end(evutil_socket_t number, short what, void *arg)
{
    struct daemon *daemon = arg;
    (void)number;
    (void)what;
    daemon->ending = true;
}

static void on_ignored(evutil_socket_t number, short what, void *arg)
{
    (void)number;
    (void)what;
    (void)arg;
}

/* "systemctl status" shows it. Told when it changed, so that an idle daemon leaves systemd alone.
 */
static void tell_status(struct daemon *daemon, const char *before)
{
    const struct jobset *jobs = engine_jobs(daemon->engine);
    size_t running = jobset_count(jobs, JOB_STATE_RUNNING) +
                     jobset_count(jobs, JOB_STATE_STARTING) +
                     jobset_count(jobs, JOB_STATE_SUSPENDED);
    size_t waiting = jobset_count(jobs, JOB_STATE_PENDING);
    if (before[0] == '\0' && running == daemon->told_running && waiting == daemon->told_waiting)
        return;
    (void)sd_notifyf(0, "%sSTATUS=%zu running, %zu waiting", before, running, waiting);
    daemon->told_running = running;
    daemon->told_waiting = waiting;
}

static void on_tick(void *arg)
{
    struct daemon *daemon = arg;
    const int64_t now = clock_monotonic_us();
    daemon->meters->lag =
        now > daemon->tick_due ? (double)(now - daemon->tick_due) / US_PER_SECOND : 0;
    daemon->tick_due = now + TICK_MS * US_PER_MS;
    engine_look_for_oldest(daemon->engine);
    tell_status(daemon, "");
    daemon->shrink = engine_disk_low(daemon->engine);
    timer_set(daemon->tick, TICK_MS);
}

static int take_lock(struct daemon *daemon, const struct places *places, struct error *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/batchd.lock", places->state_dir);
    if (fd_lock_file(AT_FDCWD, path, &daemon->lock_fd, err) == 0)
        return 0;
    if (err->code == ERROR_BUSY)
        return error_set(err, ERROR_BUSY, "another batchd owns %s", places->state_dir);
    return -1;
}

/* Sockets cost a descriptor a client; the soft limit is for programs that use select. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int read_boot_id(struct daemon *daemon, struct error *err)
{
    size_t bytes = 0;
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &bytes);
    if (text == NULL)
        return error_set_errno(err, "cannot read the boot id");
    text[strcspn(text, "\n")] = '\0';
    (void)snprintf(daemon->boot_id, sizeof(daemon->boot_id), "%.36s", text);
    return 0;
}

static struct db *open_store(const struct config *config, const struct places *places,
                             struct error *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/batchd.db", places->state_dir);
    const struct db_options options = {.cache_bytes = config->store_cache_bytes,
                                       .wal_limit_bytes = config->store_wal_limit_bytes};
    return db_open(path, &options, err);
}

/* What jobs may be given: as configured, else as it is found. */
static struct resources total_of(const struct config *config, const char *state_dir)
{
    struct resources total = {.amount = {0}};
    uint64_t memory = config->resources_memory_bytes;
    uint64_t disk = config->resources_disk_bytes;
    if (memory == 0)
        memory = machine_memory_bytes();
    if (disk == 0)
        disk = disk_size_bytes(state_dir, config->store_reserve_bytes);
    total.amount[RESOURCE_CPUS] =
        config->resources_cpus > 0 ? config->resources_cpus : machine_cpus();
    total.amount[RESOURCE_MEMORY] = job_whole_mib(memory);
    total.amount[RESOURCE_GPUS] = config->resources_gpus == CONFIG_AUTO
                                      ? gpu_devices_count(config->monitor_root, NULL)
                                      : config->resources_gpus;
    total.amount[RESOURCE_DISK] = job_whole_mib(disk);
    for (unsigned i = 0; i < config->counters.count; i++)
        total.amount[RESOURCE_COUNTER + i] = config->counter_amounts[i];
    return total;
}

static struct scheduler_options scheduler_options_of(const struct config *config,
                                                     const char *state_dir)
{
    return (struct scheduler_options){.total = total_of(config, state_dir),
                                      .queue = config->named.queues[0].settings,
                                      .half_life_us =
                                          (int64_t)config->fair_share_half_life_ms * US_PER_MS,
                                      .backfill_depth = BACKFILL_DEPTH};
}

/* One user's failures in a queue stop the others too: so where there are several, queues have
 * breakers only when it is asked for. */
static struct breaker_options breaker_options_of(const struct config *config, bool system)
{
    bool automatic = strcmp(config->breakers_queues, "auto") == 0;
    return (struct breaker_options){
        .names = config->breakers_enabled,
        .queues = config->breakers_enabled &&
                  (automatic ? !system : strcmp(config->breakers_queues, "on") == 0),
        .rule = {.window = config->breakers_window,
                 .minimum = config->breakers_minimum,
                 .rate = config->breakers_rate,
                 .probes = config->breakers_probes,
                 .open_us = (int64_t)config->breakers_open_ms * US_PER_MS,
                 .open_max_us = (int64_t)config->breakers_open_max_ms * US_PER_MS}};
}

/* In system mode batchd sees no device, and systemd starts batchd-gpu for who connects. */
static void watch_gpus(struct daemon *daemon, const struct config *config,
                       const struct places *places)
{
    const struct gpu_watch_options options = {.program = places->system ? NULL : places->gpu_binary,
                                              .socket = GPU_SOCKET,
                                              .root = config->monitor_root,
                                              .library = config->monitor_gpu_library,
                                              .state = places->state_dir,
                                              .interval_ms = config->monitor_interval_ms,
                                              .deadline_ms = config->monitor_gpu_deadline_ms};
    if (strcmp(config->monitor_gpus, "off") != 0 &&
        (gpu_devices_any(config->monitor_root) || options.library[0] != '\0'))
        daemon->gpus = gpu_watch_new(daemon->base, &options);
}

/* What [monitor] says of when jobs start. */
static void set_marks(const struct config *config, struct engine_options *options)
{
    config_marks(config, options->marks);
    options->memory_headroom = config->monitor_memory_headroom;
    options->disk_free = config_disk_free(config);
    options->inodes_free = config_inodes_free(config);
    options->gpu_memory_used = config_gpu_marks(config);
}

static uint32_t workers_max(const struct config *config, uint64_t cpus)
{
    if (config->workers_max > 0)
        return config->workers_max;
    return cpus < WORKERS_MAX ? (uint32_t)cpus : WORKERS_MAX;
}

/* What the settings say as rules for each job. */
static void set_rules(const struct config *config, struct engine_options *options)
{
    options->watch_ms = (uint32_t)config->monitor_interval_ms;
    options->limits = config_limits(config);
    options->retry = config_retry(config);
}

/* One that vanished before a restart has its place still, and so have those behind it. */
static int keep_gpus(struct daemon *daemon, const struct config *config, struct error *err)
{
    struct engine_options *options = &daemon->engine_options;
    const struct gpu_places_of of = {daemon->boot_id, options->gpu_vendor};
    return config->resources_gpus != CONFIG_AUTO || daemon->gpus == NULL
               ? 0
               : gpu_places_keep(daemon->db, &of, &options->scheduler.total.amount[RESOURCE_GPUS],
                                 err);
}

static int start_engine(struct daemon *daemon, const struct config *config,
                        const struct places *places, struct error *err)
{
    const struct scheduler_options scheduler = scheduler_options_of(config, places->state_dir);
    const uint32_t workers = workers_max(config, scheduler.total.amount[RESOURCE_CPUS]);
    size_t share_count = 0;
    daemon->shares = user_shares_find(config, &share_count);
    daemon->monitor = monitor_new(daemon->base, config->monitor_root, config->monitor_interval_ms);
    watch_gpus(daemon, config, places);
    daemon->engine_options = (struct engine_options){
        .state_dir = places->state_dir,
        .socket_path = places->socket_path,
        .system = places->system,
        .worker_binary = places->system ? NULL : places->worker_binary,
        .boot_id = daemon->boot_id,
        .workers_min = config->workers_min < workers ? config->workers_min : workers,
        .workers_max = workers,
        .prefetch = config->workers_prefetch,
        .batch_target_us = config->workers_batch_target_ms * US_PER_MS,
        .worker_idle_us = (int64_t)config->workers_idle_exit_ms * US_PER_MS,
        .output_max_bytes = config->workers_output_max_bytes,
        .stop_grace_ms = config->workers_stop_grace_ms,
        .queue_limit_per_user = config->daemon_queue_limit_per_user,
        .schedule_limit_per_user = config->daemon_schedule_limit_per_user,
        .disk_reserve_bytes = config->store_reserve_bytes,
        .array_max = config->daemon_array_max,
        .retry_types = config->named.retry_types,
        .retry_type_count = config->named.retry_type_count,
        .memory_cap_bytes = config->retry_memory_cap_bytes,
        .values_max_bytes = config->daemon_array_values_max_bytes,
        .event_backlog = config->daemon_event_backlog,
        .retention_us = {[JOB_STATE_COMPLETED] =
                             (int64_t)config->retention_completed_ms * US_PER_MS,
                         [JOB_STATE_FAILED] = (int64_t)config->retention_failed_ms * US_PER_MS,
                         [JOB_STATE_CANCELLED] =
                             (int64_t)config->retention_cancelled_ms * US_PER_MS},
        .statistics_us = (int64_t)config->retention_statistics_ms * US_PER_MS,
        .machine_us = (int64_t)config->monitor_history_ms * US_PER_MS,
        .scheduler = scheduler,
        .names = config->counters,
        .queues = config->named.queues,
        .queue_count = config->named.queue_count,
        .shares = daemon->shares,
        .share_count = share_count,
        .breakers = breaker_options_of(config, places->system),
        .gpus = daemon->gpus,
        .meters = daemon->meters,
        .monitor = daemon->monitor};
    set_marks(config, &daemon->engine_options);
    set_rules(config, &daemon->engine_options);
    (void)gpu_devices_count(config->monitor_root, &daemon->engine_options.gpu_vendor);
    daemon->db = open_store(config, places, err);
    if (daemon->db == NULL || keep_gpus(daemon, config, err) < 0)
        return -1;
    daemon->engine = engine_new(daemon->base, daemon->db, &daemon->engine_options, err);
    if (daemon->engine == NULL || db_commit(daemon->db, err) < 0)
        return -1;
    engine_committed(daemon->engine);
    return 0;
}

static int start_network(struct daemon *daemon, const struct config *config,
                         const struct places *places, struct error *err)
{
    int fd = -1;
    daemon->api_options =
        (struct api_options){.state_dir = places->state_dir,
                             .socket_path = places->socket_path,
                             .processor_dirs = (const char *const *)places->processor_dirs,
                             .owner_uid = geteuid(),
                             .uid_min = places->system ? JOB_UID_MIN : 0,
                             .system = places->system,
                             .meters = daemon->meters,
                             .monitor = daemon->monitor,
                             .gpus = daemon->gpus};
    daemon->api = api_new(daemon->base, daemon->engine, &daemon->api_options);
    if (sockets_open_control(places, &fd, &daemon->socket_path, err) < 0)
        return -1;
    const struct listener_options options = {.meters = daemon->meters,
                                             .max_connections = config->daemon_max_connections,
                                             .max_per_user =
                                                 config->daemon_max_connections_per_user};
    daemon->listener = listener_new(daemon->base, fd, daemon->api, &options);
    return 0;
}

/* ---- HTTP ---- */

static char *make_metrics(void *arg, bool of_users, size_t *ret_bytes)
{
    const struct daemon *daemon = arg;
    return metrics_text(daemon->api, of_users ? daemon->http_users : 0, ret_bytes);
}

static const char *why_unready(void *arg)
{
    const struct daemon *daemon = arg;
    return engine_disk_low(daemon->engine) ? "the disk is full: no jobs are taken\n" : NULL;
}

static int start_http(struct daemon *daemon, const struct config *config,
                      const struct places *places, struct error *err)
{
    const struct http_options options = {.owner_uid = geteuid(),
                                         .metrics = make_metrics,
                                         .unready = why_unready,
                                         .arg = daemon,
                                         .connections = &daemon->meters->scrapers};
    daemon->http_users = config->http_users;
    daemon->http = http_server_new(daemon->base, &options);
    return sockets_open_http(config, places, daemon->http, &daemon->http_path, err);
}

static int start_loop(struct daemon *daemon, struct error *err)
{
    daemon->base = event_base_new();
    if (daemon->base == NULL)
        return error_set(err, ERROR_IO, "cannot make an event loop");
    daemon->on_term = evsignal_new(daemon->base, SIGTERM, on_end, daemon);
    daemon->on_int = evsignal_new(daemon->base, SIGINT, on_end, daemon);
    daemon->on_hup = evsignal_new(daemon->base, SIGHUP, on_ignored, daemon);
    daemon->tick = timer_new(daemon->base, on_tick, daemon);
    daemon->pace = evtimer_new(daemon->base, on_ignored, daemon);
    if (daemon->on_term == NULL || daemon->on_int == NULL || daemon->on_hup == NULL ||
        daemon->pace == NULL)
        out_of_memory();
    event_must_add(daemon->on_term, NULL);
    event_must_add(daemon->on_int, NULL);
    event_must_add(daemon->on_hup, NULL);
    timer_set(daemon->tick, TICK_MS);
    daemon->tick_due = clock_monotonic_us() + TICK_MS * US_PER_MS;
    return 0;
}

struct daemon *daemon_new(const struct config *config, const struct places *places,
                          struct error *err)
{
    struct daemon *daemon = xcalloc(1, sizeof(*daemon));
    daemon->lock_fd = -1;
    daemon->meters = meters_new();
    (void)signal(SIGPIPE, SIG_IGN);
    if (places->system && geteuid() == 0)
        log_warning("batchd runs as root; batchd.service runs it as user batchd");
    raise_descriptor_limit();
    machine_ask_for_short_slices();
    if (take_lock(daemon, places, err) < 0 || read_boot_id(daemon, err) < 0 ||
        start_loop(daemon, err) < 0 || start_engine(daemon, config, places, err) < 0 ||
        start_network(daemon, config, places, err) < 0 ||
        start_http(daemon, config, places, err) < 0) {
        daemon_free(daemon);
        return NULL;
    }
    if (sd_watchdog_enabled(1, &daemon->watchdog_us) <= 0)
        daemon->watchdog_us = 0;
    return daemon;
}

void daemon_free(struct daemon *daemon)
{
    if (daemon == NULL)
        return;
    http_server_free(daemon->http);
    listener_free(daemon->listener);
    api_free(daemon->api);
    monitor_free(daemon->monitor);
    gpu_watch_free(daemon->gpus);
    engine_free(daemon->engine);
    free(daemon->shares);
    meters_free(daemon->meters);
    db_close(daemon->db);
    timer_free(daemon->tick);
    struct event *const signals[] = {daemon->on_term, daemon->on_int, daemon->on_hup, daemon->pace};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (signals[i] != NULL)
            event_free(signals[i]);
    }
    if (daemon->base != NULL)
        event_base_free(daemon->base);
    if (daemon->socket_path != NULL)
        (void)unlink(daemon->socket_path);
    if (daemon->http_path != NULL)
        (void)unlink(daemon->http_path);
    free(daemon->socket_path);
    free(daemon->http_path);
    cleanup_close(&daemon->lock_fd);
    free(daemon);
}

static void meter(struct buckets *buckets, int64_t from, int64_t to)
{
    buckets_add(buckets, buckets_of_turns, (double)(to - from) / US_PER_SECOND);
}

/* The end of a pass of the loop: decide, commit, and only then say and start. */
static int end_turn(struct daemon *daemon, struct error *err)
{
    const int64_t began = clock_monotonic_us();
    engine_schedule(daemon->engine);
    const int64_t chosen = clock_monotonic_us();
    meter(&daemon->meters->choices, began, chosen);
    if (engine_sound(daemon->engine, err) < 0)
        return -1;
#ifdef BATCHD_MUTANT_REPLY_EARLY /* crash tests build this to show that they can fail */
    listener_flush(daemon->listener);
    (void)usleep(3000);
#endif
    bool wrote = db_in_transaction(daemon->db);
    if (db_commit(daemon->db, err) < 0)
        return -1;
    if (wrote) {
        daemon->committed_at = clock_monotonic_us();
        meter(&daemon->meters->commits, chosen, daemon->committed_at);
    }
    engine_committed(daemon->engine);
    api_committed(daemon->api);
    listener_flush(daemon->listener);
    if (daemon->shrink)
        db_shrink(daemon->db);
    daemon->shrink = false;
    return 0;
}

/* The watchdog is fed by the loop having gone round and committed, at most each third of its time.
 */
static void feed_watchdog(struct daemon *daemon)
{
    int64_t now = clock_monotonic_us();
    if (daemon->watchdog_us == 0 || now < daemon->watchdog_next)
        return;
    (void)sd_notify(0, "WATCHDOG=1");
    daemon->watchdog_next = now + (int64_t)(daemon->watchdog_us / 3);
}

/* What workers report while they run short jobs comes every few hundred microseconds. Committed one
 * by one it would keep the disk and a processor busy; so when a commit was just made and no client
 * waits, the turn stays open a little, and one commit takes more of it. Workers have the next jobs
 * already (workers.prefetch). A client's request, or news after a pause, is committed at once. */
static bool stays_open(struct daemon *daemon)
{
    int64_t left = daemon->committed_at + PACE_US - clock_monotonic_us();
    if (left <= 0 || !db_in_transaction(daemon->db) || listener_pending(daemon->listener) ||
        engine_unfinished(daemon->engine))
        return false;
    const struct timeval wait = {.tv_usec = left};
    event_must_add(daemon->pace, &wait);
    return true;
}

int daemon_run(struct daemon *daemon, struct error *err)
{
    if (end_turn(daemon, err) < 0)
        return -1;
    tell_status(daemon, "READY=1\n");
    log_info("batchd %s is ready (pid %d)", BATCHD_VERSION, getpid());
    while (!daemon->ending) {
        bool more = listener_pending(daemon->listener) || engine_unfinished(daemon->engine);
        if (event_base_loop(daemon->base, EVLOOP_ONCE | (more ? EVLOOP_NONBLOCK : 0)) < 0)
            return error_set(err, ERROR_IO, "the event loop failed");
        if (stays_open(daemon))
            continue;
        if (end_turn(daemon, err) < 0)
            return -1;
        feed_watchdog(daemon);
    }
    (void)sd_notify(0, "STOPPING=1");
    log_info("batchd stops; running jobs go on");
    return 0;
}

bool daemon_wait_for_room(const struct config *config, const struct places *places,
                          const sigset_t *stops)
{
    const struct timespec pause = {.tv_nsec = ROOM_LOOK_NS};
    log_error("the disk of %s is full; batchd waits for room, running jobs go on",
              places->state_dir);
    (void)sd_notify(0, "STATUS=the disk is full: waiting for room");
    do {
        (void)sd_notify(0, "WATCHDOG=1");
        if (sigtimedwait(stops, NULL, &pause) > 0)
            return false;
    } while (!disk_has_room(places->state_dir, config->store_reserve_bytes));
    return true;
}

/* Opening it would make one. */
static int find_store(const char *path, struct error *err)
{
    uint32_t stamp;
    if (access(path, F_OK) == 0)
        return 0;
    (void)error_set_errno(err, "%s", path);
    (void)store_file_check(path, &stamp, err); /* that its log is there is worse */
    return -1;
}

int daemon_check_store(const struct config *config, const struct places *places, struct error *err)
{
    struct daemon holder = {.lock_fd = -1};
    CLEANUP_FREE char *path = xasprintf("%s/batchd.db", places->state_dir);
    if (find_store(path, err) < 0)
        return -1;
    int result = take_lock(&holder, places, err);
    if (result == 0) {
        struct db *db = open_store(config, places, err);
        result = db == NULL ? -1 : store_check(db, err);
        db_close(db);
    }
    cleanup_close(&holder.lock_fd);
    return result;
}
