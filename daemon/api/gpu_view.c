#include "daemon/api/gpu_view.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "daemon/engine/gpus.h"
#include "daemon/exec/gpu_watch.h"

#include <stdio.h>

static void put_known(json_t *object, const char *name, uint64_t value)
{
    if (gpu_known(value) && value <= INT64_MAX)
        json_put_int(object, name, (int64_t)value);
    else
        json_put(object, name, json_null());
}

static void put_known_text(json_t *object, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        json_put(object, name, json_null());
    else
        json_put_text(object, name, text);
}

/* "42" or "42_7", when the caller may see it. */
static json_t *view_job_of(const struct api_call *call, uint64_t worker)
{
    struct attempt_id id;
    uint32_t uid;
    if (!gpu_known(worker) || !engine_job_at_worker(call->api->engine, worker, &id, &uid) ||
        !access_job(call, uid))
        return json_null();
    CLEANUP_FREE char *text = id.is_task ? xasprintf("%llu_%llu", (unsigned long long)id.job,
                                                     (unsigned long long)id.index)
                                         : xasprintf("%llu", (unsigned long long)id.job);
    return json_string(text);
}

static json_t *view_process(const struct api_call *call, const struct gpu_process *process)
{
    json_t *object = json_object();
    json_put_int(object, "pid", (int64_t)process->pid);
    put_known_text(object, "name", process->name);
    put_known(object, "memory_bytes", process->memory_bytes);
    put_known(object, "busy_percent", process->busy_percent);
    json_put(object, "job", view_job_of(call, process->worker));
    return object;
}

static json_t *view_processes(const struct api_call *call, const struct gpu_facts *gpu)
{
    json_t *list = json_array();
    if (!gpu_known(gpu->process_count)) {
        json_decref(list);
        return json_null();
    }
    for (uint32_t i = 0; i < gpu->listed; i++)
        (void)json_array_append_new(list, view_process(call, &gpu->process[i]));
    return list;
}

/* given: its place among those that jobs are given; -1: it is none of them. */
static json_t *view_gpu(const struct api_call *call, const struct gpu_facts *gpu, uint32_t index,
                        int given)
{
    json_t *object = json_object();
    json_put_int(object, "index", given < 0 ? (int64_t)index : given);
    json_put_text(object, "vendor", gpu_vendor_words[gpu->vendor]);
    put_known_text(object, "name", gpu->name);
    put_known_text(object, "uuid", gpu->uuid);
    put_known_text(object, "pci", gpu->pci);
    put_known_text(object, "fault",
                   given < 0 ? gpu->fault : engine_gpu(call->api->engine, (unsigned)given)->fault);
    json_put(object, "given", json_boolean(given >= 0));
    put_known(object, "memory_total_bytes", gpu->memory_total_bytes);
    put_known(object, "memory_used_bytes", gpu->memory_used_bytes);
    put_known(object, "busy_percent", gpu->busy_percent);
    put_known(object, "temperature", gpu->temperature);
    put_known(object, "numa_node", gpu->numa_node);
    json_put(object, "processes", view_processes(call, gpu));
    return object;
}

/* One that was there: what is known of it is why no job is given it. */
static json_t *view_gone(const struct api_call *call, unsigned index)
{
    const struct gpu_device *device = engine_gpu(call->api->engine, index);
    struct gpu_facts gone = {.vendor = engine_gpu_vendor(call->api->engine),
                             .memory_total_bytes = GPU_UNKNOWN,
                             .memory_used_bytes = GPU_UNKNOWN,
                             .busy_percent = GPU_UNKNOWN,
                             .temperature = GPU_UNKNOWN,
                             .numa_node = GPU_UNKNOWN,
                             .process_count = GPU_UNKNOWN};
    (void)snprintf(gone.name, sizeof(gone.name), "%s", device->name);
    (void)snprintf(gone.pci, sizeof(gone.pci), "%s", device->pci);
    return view_gpu(call, &gone, index, (int)index);
}

static void put_gone(const struct api_call *call, uint64_t there, json_t *list)
{
    const uint32_t count = scheduler_gpus(engine_scheduler(call->api->engine))->count;
    for (uint32_t i = 0; i < count; i++) {
        if ((there >> i & 1U) == 0 && engine_gpu(call->api->engine, i)->seen)
            (void)json_array_append_new(list, view_gone(call, i));
    }
}

void view_gpus(const struct api_call *call, json_t *machine)
{
    const struct gpu_watch *watch = call->api->options.gpus;
    const struct gpu_report *report = gpu_watch_report(watch);
    const char *trouble = gpu_watch_trouble(watch);
    uint32_t index = 0;
    uint64_t there = 0;
    json_t *list = json_array();
    for (uint32_t i = 0; report != NULL && i < report->count; i++) {
        const struct gpu_facts *gpu = &report->gpu[i];
        const int given = engine_gpu_index(call->api->engine, i);
        index = i > 0 && gpu[-1].vendor == gpu->vendor ? index + 1 : 0;
        there |= given < 0 ? 0 : UINT64_C(1) << given;
        (void)json_array_append_new(list, view_gpu(call, gpu, index, given));
    }
    put_gone(call, there, list);
    json_put(machine, "gpus", list);
    if (trouble == NULL && report != NULL)
        trouble = report->trouble;
    put_known_text(machine, "gpus_trouble", trouble);
}
