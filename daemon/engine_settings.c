#include "daemon/engine_settings.h"

#include "common/clock.h"
#include "daemon/core/job_request.h"
#include "daemon/resources/disk.h"
#include "daemon/resources/gpu_devices.h"
#include "daemon/resources/machine.h"

#include <string.h>

/* Slurm's default is 500 (bf_max_job_test); with 1,000 a round stays under 0.1 ms. */
#define BACKFILL_DEPTH 1000
#define WORKERS_MAX 4096U /* as workers.max */

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

/* Its texts were looked at when they were read. */
static void set_figures(const struct config *config, struct engine_options *options)
{
    const char *const texts[ADMISSION_FIGURE_COUNT] = {
        [ADMISSION_MEMORY_USED] = config->monitor_memory_used,
        [ADMISSION_MEMORY_PRESSURE] = config->monitor_memory_pressure,
        [ADMISSION_IO_PRESSURE] = config->monitor_io_pressure,
        [ADMISSION_CPU_PRESSURE] = config->monitor_cpu_pressure,
        [ADMISSION_BATTERY] = config->monitor_battery};
    for (unsigned i = 0; i < ADMISSION_FIGURE_COUNT; i++)
        (void)admission_marks_parse(texts[i], admission_falls((enum admission_figure)i),
                                    &options->marks[i], NULL);
}

/* What [monitor] says of when jobs start. */
static void set_marks(const struct config *config, struct engine_options *options)
{
    set_figures(config, options);
    options->memory_headroom = config->monitor_memory_headroom;
    (void)volume_marks_parse(config->monitor_disk_free, VOLUME_DISK, &options->disk_free, NULL);
    (void)volume_marks_parse(config->monitor_inodes_free, VOLUME_INODES, &options->inodes_free,
                             NULL);
    (void)admission_marks_parse(config->monitor_gpu_memory_used, false, &options->gpu_memory_used,
                                NULL);
}

static uint32_t workers_max(const struct config *config, uint64_t cpus)
{
    if (config->workers_max > 0)
        return config->workers_max;
    return cpus < WORKERS_MAX ? (uint32_t)cpus : WORKERS_MAX;
}

/* What [limits] says, with what this machine has where it leaves processes open. */
static struct limit_policy limits_of(const struct config *config)
{
    struct limit_policy policy = {.memory_bytes = config->limits_memory_bytes,
                                  .pids = config->limits_pids != 0 ? config->limits_pids
                                                                   : machine_pids_of_a_job(),
                                  .open_files = config->limits_open_files,
                                  .file_bytes = config->limits_file_bytes,
                                  .cpu_weight = config->limits_cpu_weight,
                                  .io_weight = config->limits_io_weight,
                                  .high_percent = config->limits_memory_high,
                                  .swap_percent = config->limits_swap,
                                  .nice = (uint8_t)config->limits_nice,
                                  .bounds_data = config->limits_data_segment,
                                  .bound = strcmp(config->limits_cpu_bind, "cores") == 0};
    (void)job_io_priority_parse(config->limits_io_priority, &policy.io_priority, NULL);
    return policy;
}

static struct retry_rule retry_of(const struct config *config)
{
    struct retry_rule rule = {.max_attempts = config->retry_max_attempts};
    (void)retry_backoff_parse(config->retry_backoff, &rule.backoff, NULL);
    (void)retry_jitter_parse(config->retry_jitter, &rule.jitter, NULL);
    (void)retry_on_parse(config->retry_on, &rule, NULL);
    return rule;
}

/* What the settings say as rules for each job. */
static void set_rules(const struct config *config, struct engine_options *options)
{
    options->watch_ms = (uint32_t)config->monitor_interval_ms;
    options->limits = limits_of(config);
    options->retry = retry_of(config);
}

struct engine_options engine_settings(const struct config *config, const struct places *places)
{
    const struct scheduler_options scheduler = scheduler_options_of(config, places->state_dir);
    const uint32_t workers = workers_max(config, scheduler.total.amount[RESOURCE_CPUS]);
    struct engine_options options = (struct engine_options){
        .state_dir = places->state_dir,
        .socket_path = places->socket_path,
        .system = places->system,
        .worker_binary = places->system ? NULL : places->worker_binary,
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
        .sysfs_root = config->monitor_root,
        .names = config->counters,
        .queues = config->named.queues,
        .queue_count = config->named.queue_count,
        .breakers = breaker_options_of(config, places->system)};
    set_marks(config, &options);
    set_rules(config, &options);
    (void)gpu_devices_count(config->monitor_root, &options.gpu_vendor);
    return options;
}
