/* Of what jobs are given, of the workers, and of the machine as it was last looked at. */
#include "daemon/api/exposition.h"
#include "daemon/api/metrics.h"
#include "daemon/api/verb.h"
#include "daemon/engine/gate.h"
#include "daemon/resources/monitor.h"

static void put_given(FILE *out, const struct api *api)
{
    static const struct {
        const char *capacity, *allocated, *of;
        unsigned kind;
    } kinds[] = {
        {"batchd_cpu_capacity_cores", "batchd_cpu_allocated_cores", "Processors", RESOURCE_CPUS},
        {"batchd_memory_capacity_bytes", "batchd_memory_allocated_bytes", "Memory",
         RESOURCE_MEMORY},
    };
    const struct scheduler *scheduler = engine_scheduler(api->engine);
    const struct resources *total = scheduler_total(scheduler);
    const struct resources *unused = scheduler_free_resources(scheduler);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const double all = (double)total->amount[kinds[i].kind];
        const double left = (double)unused->amount[kinds[i].kind];
        char help[64];
        (void)snprintf(help, sizeof(help), "%s that jobs may be given.", kinds[i].of);
        exposition_gauge(out, kinds[i].capacity, help, all);
        (void)snprintf(help, sizeof(help), "%s that jobs were given.", kinds[i].of);
        exposition_gauge(out, kinds[i].allocated, help, (all - left));
    }
    const struct gpu_pool *gpus = scheduler_gpus(scheduler);
    exposition_gauge(out, "batchd_gpus_capacity", "GPUs that jobs may be given.", gpus->count);
    exposition_gauge(out, "batchd_gpus_allocated",
                     "GPUs that jobs were given, wholly or a share of them, or may not be given.",
                     (double)gpus->count - (double)gpu_pool_free(gpus));
    exposition_gauge(out, "batchd_disk_free_bytes", "Free space of the state's file system.",
                     (double)engine_disk_free_bytes(api->engine));
    exposition_gauge(out, "batchd_disk_low", "1 while new jobs are refused for want of disk.",
                     engine_disk_low(api->engine));
}

static void put_workers(FILE *out, const struct api *api)
{
    struct pool_counts counts;
    struct pool_health health;
    pool_count(engine_pool(api->engine), &counts);
    pool_health(engine_pool(api->engine), &health);
    const struct {
        const char *state;
        uint32_t count;
    } lines[] = {{"coming", counts.coming},
                 {"idle", counts.idle},
                 {"busy", counts.busy},
                 {"leaving", counts.leaving}};
    exposition_family(out, "batchd_workers", "gauge", "Workers, by state.");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const struct labels labels = {.name = {"state"}, .value = {lines[i].state}};
        exposition_count(out, "batchd_workers", &labels, lines[i].count);
    }
    exposition_counter(out, "batchd_worker_deaths_total", "Workers that died unasked.",
                       (double)health.deaths);
}

static void put_pressure(FILE *out, const struct host_sample *sample)
{
    exposition_family(out, "batchd_machine_pressure_ratio", "gauge",
                      "Part of the last ten seconds in which some tasks, or all, waited for it.");
    for (unsigned i = 0; i < PRESSURE_KIND_COUNT; i++) {
        struct labels labels = {.name = {"resource", "tasks"},
                                .value = {pressure_kind_words[i], "some"}};
        if (!sample->pressure[i].known)
            continue;
        exposition_number(out, "batchd_machine_pressure_ratio", &labels,
                          sample->pressure[i].some / 100);
        labels.value[1] = "all";
        exposition_number(out, "batchd_machine_pressure_ratio", &labels,
                          sample->pressure[i].full / 100);
    }
}

static void put_stops(FILE *out, const struct api *api)
{
    const struct admission *admission = engine_admission(api->engine);
    exposition_family(out, "batchd_machine_stops", "gauge",
                      "1 while no job starts because of this figure of the machine.");
    for (unsigned i = 0; i < ADMISSION_FIGURE_COUNT; i++) {
        const struct labels labels = {.name = {"figure"}, .value = {admission_words[i]}};
        exposition_count(out, "batchd_machine_stops", &labels, admission->stopped[i]);
    }
}

void metrics_machine(FILE *out, const struct api *api)
{
    const struct host_sample *sample = monitor_latest(api->options.monitor);
    double shares[CPU_CLASS_COUNT];
    put_given(out, api);
    put_workers(out, api);
    put_stops(out, api);
    if (monitor_cpu_shares(api->options.monitor, shares))
        exposition_gauge(out, "batchd_machine_cpu_busy_ratio",
                         "Part of the processors' time that was used, of the last interval.",
                         host_sample_busy(shares));
    if (sample->load_known)
        exposition_gauge(out, "batchd_machine_load1", "Load average of a minute.", sample->load[0]);
    if (sample->memory_known) {
        exposition_gauge(out, "batchd_machine_memory_bytes", "Memory of the machine.",
                         (double)sample->memory_total_bytes);
        exposition_gauge(out, "batchd_machine_memory_available_bytes",
                         "Memory that is available (MemAvailable).",
                         (double)sample->memory_available_bytes);
    }
    put_pressure(out, sample);
}
