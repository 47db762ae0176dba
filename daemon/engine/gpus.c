#include "daemon/engine/gpus.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/parse.h"
#include "daemon/engine/gpu_places.h"
#include "daemon/engine/internal.h"
#include "daemon/exec/gpu_watch.h"

#include <stdio.h>
#include <string.h>

/* A look that was under way when a job ended, and one while the driver still cleans up. */
#define SETTLING_REPORTS 2U
/* The display of an Intel processor is always there on the bus. */
#define INTEL_INTEGRATED "0000:00:02.0"

/* ---- which is which ---- */

static bool is_given(const struct gpu_facts *gpu)
{
    return gpu->vendor != GPU_INTEL || strcmp(gpu->pci, INTEL_INTEGRATED) != 0;
}

/* Jobs are given those of one vendor: each numbers its own from 0. It is that of those that were
 * counted (resources/gpu_devices.h), else the first of a report that lacks none. */
static bool has_vendor(struct gpu_devices *devices, const struct gpu_report *report)
{
    const bool whole = report->trouble[0] == '\0';
    for (uint32_t i = 0; i < report->count && whole && devices->vendor == GPU_VENDOR_COUNT; i++) {
        if (is_given(&report->gpu[i]))
            devices->vendor = report->gpu[i].vendor;
    }
    return devices->vendor != GPU_VENDOR_COUNT;
}

static int find_device(const struct gpu_devices *devices, uint32_t count, const char *pci)
{
    for (uint32_t i = 0; i < count; i++) {
        if (devices->device[i].seen && strcmp(devices->device[i].pci, pci) == 0)
            return (int)i;
    }
    return -1;
}

/* A new one takes the first place whose GPU has never told its address; one without an address that
 * of its turn. None takes what is taken in this report. */
static int place_of(const struct gpu_devices *devices, uint32_t count, const struct gpu_facts *gpu,
                    uint32_t turn, const bool taken[GPUS_MAX])
{
    int at = find_device(devices, count, gpu->pci);
    if (gpu->pci[0] == '\0')
        return turn < count && !taken[turn] ? (int)turn : -1;
    for (uint32_t i = 0; i < count && at < 0; i++) {
        if (!taken[i] && devices->device[i].pci[0] == '\0')
            at = (int)i;
    }
    return at;
}

/* ---- what is measured ---- */

/* A buffer that several processes share counts with each of them. */
static uint64_t bounded(uint64_t sum, const struct gpu_facts *gpu, const struct gpu_slot *slot)
{
    const uint64_t most =
        gpu_known(gpu->memory_used_bytes) ? gpu->memory_used_bytes : slot->total_bytes;
    return sum < most ? sum : most;
}

/* By programs that are no jobs. Where their processes are known they say; else all that is in use
 * where no job of ours is on it, and where one is what those of the others have that are known. */
static uint64_t foreign_bytes(const struct gpu_facts *gpu, const struct gpu_slot *slot,
                              const struct gpu_device *device)
{
    uint64_t sum = 0;
    bool known = gpu_known(gpu->process_count) && gpu->listed == gpu->process_count &&
                 !gpu->processes_partial;
    for (uint32_t i = 0; i < gpu->listed; i++) {
        const struct gpu_process *process = &gpu->process[i];
        const bool whole = gpu_known(process->memory_bytes) && process->name[0] != '\0';
        known &= whole;
        if (whole && !gpu_known(process->worker))
            sum += process->memory_bytes;
    }
    if (known)
        return sum;
    if (slot->whole > 0 || slot->shares > 0 || device->settling > 0 ||
        !gpu_known(gpu->memory_used_bytes))
        return gpu->processes_partial ? bounded(sum, gpu, slot) : 0;
    return gpu->memory_used_bytes;
}

/* "others use 71.2G of its 80.0G (89%), until it is 60% or less". */
static void judge_foreign(const struct engine *engine, const struct gpu_slot *slot,
                          struct gpu_device *device, char *ret, size_t bytes)
{
    const struct admission_marks *marks = &engine->options.gpu_memory_used;
    char used[32], total[32];
    const double percent =
        slot->total_bytes == 0 ? 0 : 100 * (double)slot->foreign_bytes / (double)slot->total_bytes;
    if (marks->stop == 0 || percent <= marks->go)
        device->crowded = false;
    else if (percent >= marks->stop)
        device->crowded = true;
    if (!device->crowded)
        return;
    format_size(slot->foreign_bytes, used, sizeof(used));
    format_size(slot->total_bytes, total, sizeof(total));
    (void)snprintf(ret, bytes,
                   "other programs use %s of its %s memory (%.0f%%), until it is %.0f%% "
                   "or less",
                   used, total, percent, marks->go);
}

static void take_facts(const struct engine *engine, const struct gpu_facts *gpu,
                       struct gpu_device *device, struct gpu_slot *slot, char *ret_fault,
                       size_t bytes)
{
    device->seen = true;
    if (gpu->pci[0] != '\0')
        (void)snprintf(device->pci, sizeof(device->pci), "%s", gpu->pci);
    if (gpu->name[0] != '\0')
        (void)snprintf(device->name, sizeof(device->name), "%s", gpu->name);
    if (gpu->uuid[0] != '\0')
        (void)snprintf(device->uuid, sizeof(device->uuid), "%s", gpu->uuid);
    slot->total_bytes = gpu_known(gpu->memory_total_bytes) ? gpu->memory_total_bytes : 0;
    slot->foreign_bytes = foreign_bytes(gpu, slot, device);
    slot->used_bytes = gpu_known(gpu->memory_used_bytes) && device->settling == 0
                           ? gpu->memory_used_bytes
                           : slot->foreign_bytes;
    device->settling -= device->settling > 0;
    ret_fault[0] = '\0';
    if (gpu->fault[0] != '\0')
        (void)snprintf(ret_fault, bytes, "%s", gpu->fault);
    else
        judge_foreign(engine, slot, device, ret_fault, bytes);
}

/* ---- news ---- */

static void note_fault(unsigned index, struct gpu_device *device, struct gpu_slot *slot,
                       const char *fault)
{
    slot->out = fault[0] != '\0';
    if (slot->out && !device->told)
        log_warning("GPU %u (%s) is given to no job: %s", index, device->name, fault);
    if (!slot->out && device->told)
        log_info("GPU %u (%s) is given to jobs again", index, device->name);
    device->told = slot->out;
    (void)snprintf(device->fault, sizeof(device->fault), "%s", fault);
}

/* What a report says of each; of those that it lacks that they are gone. */
static void take_report(struct engine *engine, const struct gpu_report *report,
                        struct gpu_pool *pool)
{
    struct gpu_devices *devices = &engine->gate.gpus;
    bool there[GPUS_MAX] = {false};
    char fault[sizeof(devices->device[0].fault)];
    uint32_t turn = 0;
    for (uint32_t i = 0; i < report->count; i++) {
        const struct gpu_facts *gpu = &report->gpu[i];
        if (gpu->vendor != devices->vendor || !is_given(gpu))
            continue;
        const uint32_t position = turn++;
        const int at = place_of(devices, pool->count, gpu, position, there);
        if (at < 0)
            continue;
        there[at] = true;
        devices->device[at].position = position;
        take_facts(engine, gpu, &devices->device[at], &pool->slot[at], fault, sizeof(fault));
        note_fault((unsigned)at, &devices->device[at], &pool->slot[at], fault);
    }
    for (uint32_t i = 0; i < pool->count; i++) {
        devices->device[i].present = there[i];
        if (!there[i] && devices->device[i].seen)
            note_fault(i, &devices->device[i], &pool->slot[i],
                       report->trouble[0] != '\0' ? report->trouble
                                                  : "its driver no longer shows it");
    }
}

/* Nobody knows how they are. */
static void take_trouble(struct engine *engine, const char *trouble, struct gpu_pool *pool)
{
    for (uint32_t i = 0; i < pool->count; i++) {
        if (engine->gate.gpus.device[i].seen)
            note_fault(i, &engine->gate.gpus.device[i], &pool->slot[i], trouble);
    }
}

void engine_look_at_gpus(struct engine *engine)
{
    const struct gpu_watch *watch = engine->options.gpus;
    const struct gpu_report *report = gpu_watch_report(watch);
    struct gpu_pool pool = *scheduler_gpus(engine->scheduler);
    const uint64_t serial = gpu_watch_serial(watch);
    if (serial != engine->gate.gpus.seen_at) {
        engine->gate.gpus.seen_at = serial;
        if (gpu_watch_trouble(watch) != NULL)
            take_trouble(engine, gpu_watch_trouble(watch), &pool);
        else if (has_vendor(&engine->gate.gpus, report))
            take_report(engine, report, &pool);
        gpu_places_store(engine);
        scheduler_see_gpus(engine->scheduler, &pool);
    }
    if (scheduler_gpus_changed(engine->scheduler))
        jobset_review(engine->jobs, clock_wall_us());
}

void engine_gpus_settle(struct engine *engine, uint64_t set)
{
    for (unsigned i = 0; i < GPUS_MAX; i++) {
        if ((set >> i & 1U) != 0)
            engine->gate.gpus.device[i].settling = SETTLING_REPORTS;
    }
}

/* ---- to ask ---- */

int engine_gpu_index(const struct engine *engine, uint32_t at)
{
    const struct gpu_devices *devices = &engine->gate.gpus;
    const struct gpu_report *report = gpu_watch_report(engine->options.gpus);
    const uint32_t count = scheduler_gpus(engine->scheduler)->count;
    uint32_t turn = 0;
    if (report->gpu[at].vendor != devices->vendor || !is_given(&report->gpu[at]))
        return -1;
    if (report->gpu[at].pci[0] != '\0')
        return find_device(devices, count, report->gpu[at].pci);
    for (uint32_t i = 0; i < at; i++)
        turn += report->gpu[i].vendor == devices->vendor && is_given(&report->gpu[i]);
    for (uint32_t i = 0; i < count; i++) {
        if (devices->device[i].present && devices->device[i].position == turn)
            return (int)i;
    }
    return -1;
}

const struct gpu_device *engine_gpu(const struct engine *engine, unsigned index)
{
    return &engine->gate.gpus.device[index];
}

enum gpu_vendor engine_gpu_vendor(const struct engine *engine)
{
    return engine->gate.gpus.vendor;
}

bool engine_job_at_worker(const struct engine *engine, uint64_t worker, struct attempt_id *ret,
                          uint32_t *ret_uid)
{
    const struct active *entry = engine->active;
    while (entry != NULL && (entry->status.worker != worker || entry->run == 0))
        entry = entry->next;
    const struct job *job = entry == NULL ? NULL : jobset_find(engine->jobs, entry->status.id);
    if (job == NULL)
        return false;
    *ret = active_id(entry);
    *ret_uid = job->uid;
    return true;
}
