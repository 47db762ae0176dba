#include "daemon/config.h"

#define AT(member) offsetof(struct config, member)
#define KIBI UINT64_C(1024)
#define MEBI (UINT64_C(1) << 20)
#define GIBI (UINT64_C(1) << 30)
#define DAY_MS UINT64_C(86400000)

const struct config_key config_keys[] = {
    {"daemon.log_level", CONFIG_WORD, AT(daemon_log_level), 0, 0, "error warning info debug",
     "\"info\"", true, "How much is logged: error, warning, info or debug."},
    {"daemon.max_connections", CONFIG_INTEGER32, AT(daemon_max_connections), 1, 60000, NULL, "4096",
     true, "Clients at a time. Each costs a file descriptor."},
    {"daemon.max_connections_per_user", CONFIG_INTEGER32, AT(daemon_max_connections_per_user), 1,
     60000, NULL, "1024", true, "Clients of one user at a time."},
    {"daemon.queue_limit_per_user", CONFIG_INTEGER64, AT(daemon_queue_limit_per_user), 1,
     UINT64_C(100000000), NULL, "2000000", true,
     "Waiting jobs that one user may have. Each costs about 50 bytes of memory."},
    {"daemon.array_max", CONFIG_INTEGER64, AT(daemon_array_max), 1, UINT64_C(1000000000), NULL,
     "1000000", true, "Tasks that one array may have. They cost nothing until they start."},
    {"daemon.event_backlog", CONFIG_INTEGER64, AT(daemon_event_backlog), 16, 10000000, NULL, "4096",
     false, "Events kept for subscribers that come back, at 72 bytes each."},
    {"store.cache", CONFIG_SIZE, AT(store_cache_bytes), 256 * KIBI, 4 * GIBI, NULL, "\"2M\"", false,
     "SQLite's page cache."},
    {"store.wal_limit", CONFIG_SIZE, AT(store_wal_limit_bytes), MEBI, GIBI, NULL, "\"4M\"", false,
     "The write-ahead log is copied into the database when it is longer than this."},
    {"store.reserve", CONFIG_SIZE, AT(store_reserve_bytes), 0, GIBI, NULL, "\"8M\"", false,
     "Below this much free space new jobs are refused, and as much is kept for results."},
    {"workers.min", CONFIG_INTEGER32, AT(workers_min), 0, 4096, NULL, "0", false,
     "Workers kept although there is nothing to do."},
    {"workers.max", CONFIG_INTEGER32, AT(workers_max), 0, 4096, NULL, "0", false,
     "Jobs that run at the same time; 0 means one for each processor."},
    {"workers.prefetch", CONFIG_INTEGER32, AT(workers_prefetch), 0, 6, NULL, "2", false,
     "Jobs handed to a worker ahead of time while its jobs are short (under 50 ms)."},
    {"workers.idle_exit", CONFIG_SPAN, AT(workers_idle_exit_ms), 1000, 365 * DAY_MS, NULL,
     "\"60s\"", false, "An idle worker above the minimum leaves after this time."},
    {"workers.stop_grace", CONFIG_SPAN, AT(workers_stop_grace_ms), 0, DAY_MS, NULL, "\"10s\"",
     false, "Time between SIGTERM and SIGKILL when a job is cancelled or timed out."},
    {"workers.output_max", CONFIG_SIZE, AT(workers_output_max_bytes), 4096, 1024 * GIBI, NULL,
     "\"64M\"", false,
     "Bytes kept of each output stream of a job: half from its start, half from its end."},
    {"processors.path", CONFIG_WORD, AT(processors_path), 0, 0, NULL, "\"\"", false,
     "One more folder with processors, searched first."},
    {NULL, CONFIG_WORD, 0, 0, 0, NULL, NULL, false, NULL},
};
