/* Of the GPUs that jobs are given, by the index that jobs know them by. */
#include "common/clock.h"
#include "daemon/api/exposition.h"
#include "daemon/api/metrics.h"
#include "daemon/api/verb.h"
#include "daemon/engine/gpus.h"
#include "daemon/exec/gpu_watch.h"

/* By index; NULL: it is not in the newest report, or that is old. */
struct shown_gpus {
    uint32_t count;
    const struct gpu_facts *gpu[GPUS_MAX];
};

static void gather(const struct api *api, struct shown_gpus *ret)
{
    const struct gpu_watch *watch = api->options.gpus;
    const struct gpu_report *report =
        gpu_watch_trouble(watch) != NULL ? NULL : gpu_watch_report(watch);
    *ret = (struct shown_gpus){.count = scheduler_gpus(engine_scheduler(api->engine))->count};
    for (uint32_t i = 0; report != NULL && i < report->count; i++) {
        const int given = engine_gpu_index(api->engine, i);
        if (given >= 0)
            ret->gpu[given] = &report->gpu[i];
    }
}

static const struct {
    const char *name, *help;
    size_t offset; /* in struct gpu_facts */
    double divisor;
} figures[] = {
    {"batchd_gpu_busy_ratio", "Part of the time that a GPU was busy, as its driver tells it.",
     offsetof(struct gpu_facts, busy_percent), 100},
    {"batchd_gpu_memory_bytes", "Memory of a GPU.", offsetof(struct gpu_facts, memory_total_bytes),
     1},
    {"batchd_gpu_memory_used_bytes", "Of it, what is in use.",
     offsetof(struct gpu_facts, memory_used_bytes), 1},
    {"batchd_gpu_temperature_celsius", "How warm a GPU is.",
     offsetof(struct gpu_facts, temperature), 1},
};

static void put_label(char ret[16], uint32_t index, struct labels *ret_labels)
{
    (void)snprintf(ret, 16, "%u", index);
    *ret_labels = (struct labels){.name = {"gpu"}, .value = {ret}};
}

static void put_figures(FILE *out, const struct shown_gpus *shown)
{
    struct labels labels;
    char index[16];
    for (size_t f = 0; f < sizeof(figures) / sizeof(figures[0]); f++) {
        exposition_family(out, figures[f].name, "gauge", figures[f].help);
        for (uint32_t i = 0; i < shown->count; i++) {
            const struct gpu_facts *gpu = shown->gpu[i];
            const uint64_t value =
                gpu == NULL
                    ? GPU_UNKNOWN
                    : *(const uint64_t *)(const void *)((const char *)gpu + figures[f].offset);
            put_label(index, i, &labels);
            if (gpu_known(value))
                exposition_number(out, figures[f].name, &labels,
                                  (double)value / figures[f].divisor);
        }
    }
}

void metrics_gpus(FILE *out, const struct api *api)
{
    const struct gpu_pool *pool = scheduler_gpus(engine_scheduler(api->engine));
    struct shown_gpus shown;
    struct labels labels;
    char index[16];
    gather(api, &shown);
    if (shown.count == 0)
        return;
    put_figures(out, &shown);
    exposition_family(out, "batchd_gpu_out", "gauge",
                      "1 while no job is given a GPU: it vanished, fails, or others use it.");
    for (uint32_t i = 0; i < shown.count; i++) {
        put_label(index, i, &labels);
        exposition_count(out, "batchd_gpu_out", &labels, pool->slot[i].out);
    }
}
