#include "daemon/daemon.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/timers.h"
#include "daemon/api/api.h"
#include "daemon/api/metrics.h"
#include "daemon/core/meters.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/gpu_places.h"
#include "daemon/engine/oldest.h"
#include "daemon/exec/gpu_watch.h"
#include "daemon/net/listener.h"
#include "daemon/resources/cpu_topology.h"
#include "daemon/resources/gpu_devices.h"
#include "daemon/resources/machine.h"
#include "daemon/resources/monitor.h"
#include "daemon/web/http_server.h"
#include "daemon/engine_settings.h"
#include "daemon/notices.h"
#include "daemon/sockets.h"
#include "daemon/state_folder.h"
#include "daemon/turn.h"
#include "daemon/user_shares.h"

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Housekeeping: idle workers leave, STATUS is told. */
#define TICK_MS 1000
/* batchd-gpu.socket */
#define GPU_SOCKET "/run/batchd/gpu.sock"

struct daemon {
    struct event_base *base;
    struct event *on_term, *on_int, *on_hup;
    struct timer *tick;
    struct db *db;
    struct engine *engine;
    struct api *api;
    struct listener *listener;
    struct turn *turn;
    struct notices *notices; /* borrowed */
    struct monitor *monitor;
    struct gpu_watch *gpus; /* NULL: they are not looked at */
    struct cpu_layout cpus;
    struct engine_options engine_options;
    struct user_shares *shares;
    const struct program *program; /* borrowed */
    struct api_options api_options;
    char boot_id[40];
    char *socket_path; /* made by us, to be removed; NULL: systemd's; as the next */
    char *http_path;
    struct meters *meters;
    struct http_server *http;
    uint32_t http_users;
    int64_t tick_due; /* monotonic */
    int lock_fd;
    bool ending;
};

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

static void on_tick(void *arg)
{
    struct daemon *daemon = arg;
    const int64_t now = clock_monotonic_us();
    daemon->meters->lag =
        now > daemon->tick_due ? (double)(now - daemon->tick_due) / US_PER_SECOND : 0;
    daemon->tick_due = now + TICK_MS * US_PER_MS;
    engine_look_for_oldest(daemon->engine);
    notices_status(daemon->notices, engine_jobs(daemon->engine));
    if (engine_disk_low(daemon->engine))
        turn_shrink_store(daemon->turn);
    timer_set(daemon->tick, TICK_MS);
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
    struct engine_options *options = &daemon->engine_options;
    *options = engine_settings(config, places);
    daemon->shares = user_shares_find(config, &options->share_count);
    daemon->monitor = monitor_new(daemon->base, config->monitor_root, config->monitor_interval_ms);
    watch_gpus(daemon, config, places);
    cpu_topology_read(config->monitor_root, &daemon->cpus);
    options->scheduler.total.amount[RESOURCE_BOUND] = cpu_list_count(&daemon->cpus.usable);
    options->boot_id = daemon->boot_id;
    options->shares = daemon->shares;
    options->gpus = daemon->gpus;
    options->cpus = &daemon->cpus;
    options->meters = daemon->meters;
    options->monitor = daemon->monitor;
    daemon->db = state_folder_open_store(config, places, err);
    if (daemon->db == NULL || keep_gpus(daemon, config, err) < 0)
        return -1;
    daemon->engine = engine_new(daemon->base, daemon->db, options, err);
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
                             .gpus = daemon->gpus,
                             .program = daemon->program};
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
    const struct metrics_reader reader = {.of_users = of_users, .users = daemon->http_users};
    return metrics_text(daemon->api, &reader, ret_bytes);
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
    if (daemon->on_term == NULL || daemon->on_int == NULL || daemon->on_hup == NULL)
        out_of_memory();
    event_must_add(daemon->on_term, NULL);
    event_must_add(daemon->on_int, NULL);
    event_must_add(daemon->on_hup, NULL);
    timer_set(daemon->tick, TICK_MS);
    daemon->tick_due = clock_monotonic_us() + TICK_MS * US_PER_MS;
    return 0;
}

struct daemon *daemon_new(const struct config *config, const struct places *places,
                          const struct program *program, struct notices *notices, struct error *err)
{
    struct daemon *daemon = xcalloc(1, sizeof(*daemon));
    daemon->lock_fd = -1;
    daemon->program = program;
    daemon->notices = notices;
    daemon->meters = meters_new();
    (void)signal(SIGPIPE, SIG_IGN);
    if (places->system && geteuid() == 0)
        log_warning("batchd runs as root; batchd.service runs it as user batchd");
    raise_descriptor_limit();
    machine_ask_for_short_slices();
    if (state_folder_lock(places, &daemon->lock_fd, err) < 0 || read_boot_id(daemon, err) < 0 ||
        start_loop(daemon, err) < 0 || start_engine(daemon, config, places, err) < 0 ||
        start_network(daemon, config, places, err) < 0 ||
        start_http(daemon, config, places, err) < 0) {
        daemon_free(daemon);
        return NULL;
    }
    const struct turn_parts parts = {.base = daemon->base,
                                     .db = daemon->db,
                                     .engine = daemon->engine,
                                     .api = daemon->api,
                                     .listener = daemon->listener,
                                     .meters = daemon->meters};
    daemon->turn = turn_new(&parts);
    return daemon;
}

void daemon_free(struct daemon *daemon)
{
    if (daemon == NULL)
        return;
    turn_free(daemon->turn);
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
    struct event *const signals[] = {daemon->on_term, daemon->on_int, daemon->on_hup};
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

int daemon_run(struct daemon *daemon, struct error *err)
{
    if (turn_end(daemon->turn, err) < 0)
        return -1;
    notices_ready(daemon->notices, engine_jobs(daemon->engine));
    log_info("batchd %s is ready (pid %d)", BATCHD_VERSION, getpid());
    while (!daemon->ending) {
        const bool more = turn_has_more(daemon->turn);
        if (event_base_loop(daemon->base, EVLOOP_ONCE | (more ? EVLOOP_NONBLOCK : 0)) < 0)
            return error_set(err, ERROR_IO, "the event loop failed");
        if (turn_stays_open(daemon->turn))
            continue;
        if (turn_end(daemon->turn, err) < 0)
            return -1;
        notices_feed_watchdog(daemon->notices);
    }
    notices_stopping();
    log_info("batchd stops; running jobs go on");
    return 0;
}
