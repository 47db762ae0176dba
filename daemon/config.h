/* The daemon's settings: one table (config_table.c) says for each key its type, range, default,
 * what it does and whether a reload takes it; tables with free names are config_names.c's. The
 * files are TOML: the main file, then conf.d/NAME.toml beside it in the order of their names; later
 * ones win key by key. */
#ifndef BATCHD_DAEMON_CONFIG_H
#define BATCHD_DAEMON_CONFIG_H

#include "common/error.h"
#include "daemon/config_names.h"
#include "daemon/core/resource_names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct config {
    char *daemon_log_level;
    uint32_t daemon_max_connections;
    uint32_t daemon_max_connections_per_user;
    uint64_t daemon_queue_limit_per_user, daemon_schedule_limit_per_user;
    uint64_t daemon_array_values_max_bytes;
    uint64_t daemon_array_max, daemon_event_backlog, store_reserve_bytes;
    uint64_t store_cache_bytes;
    uint64_t store_wal_limit_bytes;
    uint32_t resources_cpus;
    uint64_t resources_memory_bytes;
    uint32_t resources_gpus; /* CONFIG_AUTO: those that are found */
    uint64_t resources_disk_bytes;
    struct resource_names counters; /* the other names in [resources] */
    uint64_t counter_amounts[RESOURCE_COUNTERS_MAX];
    uint64_t fair_share_half_life_ms;
    uint32_t retry_max_attempts;
    char *retry_backoff, *retry_jitter, *retry_on;
    uint64_t retry_memory_cap_bytes;
    struct config_names named;
    uint32_t workers_min, workers_max;
    uint32_t workers_prefetch;
    uint64_t workers_idle_exit_ms, workers_batch_target_ms;
    uint64_t workers_stop_grace_ms;
    uint64_t workers_output_max_bytes;
    uint64_t limits_memory_bytes, limits_pids, limits_open_files, limits_file_bytes;
    uint32_t limits_memory_high, limits_swap, limits_cpu_weight, limits_io_weight, limits_nice;
    char *limits_io_priority, *limits_cpu_bind;
    bool limits_data_segment;
    uint64_t retention_completed_ms, retention_failed_ms, retention_cancelled_ms; /* 0: for ever */
    uint64_t retention_statistics_ms;                                             /* 0: for ever */
    char *processors_path;
    char *http_socket, *http_listen;
    uint32_t http_users;
    uint64_t monitor_interval_ms, monitor_history_ms; /* history 0: none */
    char *monitor_root;
    char *monitor_gpus, *monitor_gpu_library, *monitor_gpu_memory_used;
    uint64_t monitor_gpu_deadline_ms;
    char *monitor_memory_used, *monitor_memory_pressure, *monitor_io_pressure;
    char *monitor_cpu_pressure, *monitor_battery;
    bool monitor_memory_headroom;
    char *monitor_disk_free, *monitor_inodes_free;
    bool breakers_enabled;
    char *breakers_queues;
    uint32_t breakers_window, breakers_minimum, breakers_rate, breakers_probes;
    uint64_t breakers_open_ms, breakers_open_max_ms;
};

#define CONFIG_AUTO UINT32_MAX

enum config_type {
    CONFIG_INTEGER32,
    CONFIG_INTEGER64,
    CONFIG_SPAN,
    CONFIG_SIZE,
    CONFIG_WORD,
    CONFIG_BOOLEAN,    /* true or false */
    CONFIG_BACKOFF,    /* a text for retry_backoff_parse */
    CONFIG_RETRY_ON,   /* and one for retry_on_parse */
    CONFIG_LOOPBACK,   /* and one for peer_check_loopback, or "" */
    CONFIG_MARKS,      /* and one for admission_marks_parse */
    CONFIG_DISK_MARKS, /* one for volume_marks_parse */
    CONFIG_INODE_MARKS,
    CONFIG_FALLING_MARKS, /* the same of a figure that falls */
    CONFIG_COUNT_OR_AUTO, /* a whole number, or "auto": 32 bits, CONFIG_AUTO */
    CONFIG_COUNTER,       /* the row of all names in its table that have no row: whole numbers */
};

struct config_key {
    const char *name; /* "workers.max" */
    enum config_type type;
    size_t offset; /* in struct config */
    uint64_t min, max;
    const char *words;    /* CONFIG_WORD: the allowed ones, separated by blanks; NULL: any text */
    const char *fallback; /* the default, as it is written in a file */
    bool reloadable;
    const char *help;
};

extern const struct config_key config_keys[]; /* ends with a NULL name */

/* Everything at its default. Release with config_done. */
void config_defaults(struct config *ret);
void config_done(struct config *config);

/* Every problem found, not only the first. */
typedef void (*config_problem_fn)(void *arg, const struct error *problem);

/* Defaults, then `path` (NULL: none), then its conf.d. A missing file is an error only when
 * `required`. Problems go to `each` (may be NULL), the first also to err; then -1 and *ret unset.
 */
int config_load(const char *path, bool required, config_problem_fn each, void *arg,
                struct config *ret, struct error *err);

/* The settings as TOML. With `example`, every key commented out under its help: the file
 * config.example.toml. */
void config_print(FILE *file, const struct config *config, bool example);

#endif
