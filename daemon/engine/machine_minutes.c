/* See machine_history.h. */
#include "common/clock.h"
#include "daemon/core/rollup.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/machine_history.h"
#include "daemon/engine/volumes.h"
#include "daemon/exec/gpu_watch.h"
#include "daemon/resources/monitor.h"
#include "daemon/store/machine_part_rows.h"
#include "daemon/store/machine_rows.h"

#include <assert.h>
#include <stdio.h>

static double used_part(bool known, uint64_t total, uint64_t left)
{
    return !known || total == 0 || left > total ? -1 : (double)(total - left) / (double)total;
}

static void add_cpu(struct machine_minute *minute, const struct monitor *monitor)
{
    static_assert(MACHINE_CPU_USER + CPU_CLASS_COUNT == MACHINE_FIGURE_COUNT, "in the same order");
    double shares[CPU_CLASS_COUNT];
    if (!monitor_cpu_shares(monitor, shares))
        return;
    machine_minute_add(minute, MACHINE_CPU, host_sample_busy(shares));
    for (unsigned i = 0; i < CPU_CLASS_COUNT; i++)
        machine_minute_add(minute, (enum machine_figure)(MACHINE_CPU_USER + i), shares[i]);
}

static void add_sample(struct machine_minute *minute, const struct monitor *monitor)
{
    static const enum machine_figure pressures[PRESSURE_KIND_COUNT] = {
        [PRESSURE_CPU] = MACHINE_PRESSURE_CPU,
        [PRESSURE_MEMORY] = MACHINE_PRESSURE_MEMORY,
        [PRESSURE_IO] = MACHINE_PRESSURE_IO};
    const struct host_sample *sample = monitor_latest(monitor);
    minute->samples++;
    add_cpu(minute, monitor);
    machine_minute_add(minute, MACHINE_LOAD, sample->load_known ? sample->load[0] : -1);
    machine_minute_add(minute, MACHINE_MEMORY,
                       used_part(sample->memory_known, sample->memory_total_bytes,
                                 sample->memory_available_bytes));
    machine_minute_add(
        minute, MACHINE_SWAP,
        used_part(sample->memory_known, sample->swap_total_bytes, sample->swap_free_bytes));
    for (unsigned i = 0; i < PRESSURE_KIND_COUNT; i++)
        machine_minute_add(minute, pressures[i],
                           sample->pressure[i].known ? sample->pressure[i].some / 100 : -1);
}

static void add_disk(void *arg, const struct volume_view *view)
{
    const struct volume_room *room = &view->volume->room;
    struct machine_part *part =
        room->known ? machine_parts_need(arg, MACHINE_DISK, view->point) : NULL;
    if (part == NULL)
        return;
    machine_range_add(&part->figures[PART_FREE], room->free_bytes);
    if (room->inodes > 0)
        machine_range_add(&part->figures[PART_INODES], room->inodes_free);
}

/* Its address; of a driver that does not tell one what else it is known by. */
static void name_gpu(const struct gpu_report *report, uint32_t at, char *ret, size_t bytes)
{
    const struct gpu_facts *gpu = &report->gpu[at];
    if (gpu->pci[0] != '\0' || gpu->uuid[0] != '\0')
        (void)snprintf(ret, bytes, "%s", gpu->pci[0] != '\0' ? gpu->pci : gpu->uuid);
    else
        (void)snprintf(ret, bytes, "%s %u", gpu_vendor_words[gpu->vendor], at);
}

/* The drivers are asked as often as the machine is looked at (exec/gpu_watch.h), and their newest
 * answer counts with each sample; what is not up to date does not. */
static void add_gpus(struct machine_parts *parts, const struct gpu_watch *watch)
{
    const struct gpu_report *report = gpu_watch_report(watch);
    if (report == NULL || gpu_watch_trouble(watch) != NULL)
        return;
    for (uint32_t i = 0; i < report->count; i++) {
        const struct gpu_facts *gpu = &report->gpu[i];
        char name[sizeof(gpu->uuid)];
        name_gpu(report, i, name, sizeof(name));
        struct machine_part *part = machine_parts_need(parts, MACHINE_GPU, name);
        if (part == NULL)
            return;
        if (gpu_known(gpu->busy_percent))
            machine_range_add(&part->figures[PART_BUSY], gpu->busy_percent * 10);
        if (gpu_known(gpu->memory_used_bytes))
            machine_range_add(&part->figures[PART_MEMORY], gpu->memory_used_bytes);
        if (gpu_known(gpu->temperature))
            machine_range_add(&part->figures[PART_TEMPERATURE], gpu->temperature);
    }
}

static int store_parts(struct engine *engine, int64_t minute, const struct machine_parts *parts,
                       struct error *err)
{
    for (unsigned i = 0; i < parts->count; i++) {
        if (machine_part_rows_put(engine->db, minute, &parts->part[i], err) < 0)
            return -1;
    }
    return 0;
}

static void store(struct engine *engine, const struct machine_history *history)
{
    const struct machine_minute *minute = &history->minute;
    const int64_t kept_from = minute->minute - engine->options.machine_us / ROLLUP_MINUTE_US;
    struct error err;
    if (engine->broken || minute->samples == 0)
        return;
    if (machine_rows_put(engine->db, minute, &err) < 0 ||
        store_parts(engine, minute->minute, &history->parts, &err) < 0 ||
        machine_rows_prune(engine->db, kept_from, &err) < 0 ||
        machine_part_rows_prune(engine->db, kept_from, &err) < 0)
        engine_break(engine, &err);
}

void engine_note_machine(struct engine *engine)
{
    struct machine_history *history = &engine->statistics.machine;
    const struct monitor *monitor = engine->options.monitor;
    if (engine->options.machine_us == 0 || monitor_latest(monitor)->taken_at == history->seen_at)
        return;
    history->seen_at = monitor_latest(monitor)->taken_at;
    const int64_t minute = history->seen_at / ROLLUP_MINUTE_US;
    if (minute != history->minute.minute) {
        store(engine, history);
        history->minute = (struct machine_minute){.minute = minute};
        machine_parts_done(&history->parts);
    }
    add_sample(&history->minute, monitor);
    engine_volumes_each(engine, add_disk, &history->parts);
    add_gpus(&history->parts, engine->options.gpus);
}
