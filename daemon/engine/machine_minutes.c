/* See machine_history.h. */
#include "common/clock.h"
#include "daemon/core/rollup.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/machine_history.h"
#include "daemon/resources/monitor.h"
#include "daemon/store/machine_rows.h"

static double used_part(bool known, uint64_t total, uint64_t left)
{
    return !known || total == 0 || left > total ? -1 : (double)(total - left) / (double)total;
}

static void add_sample(struct machine_minute *minute, const struct monitor *monitor)
{
    static const enum machine_figure pressures[PRESSURE_KIND_COUNT] = {
        [PRESSURE_CPU] = MACHINE_PRESSURE_CPU,
        [PRESSURE_MEMORY] = MACHINE_PRESSURE_MEMORY,
        [PRESSURE_IO] = MACHINE_PRESSURE_IO};
    const struct host_sample *sample = monitor_latest(monitor);
    double shares[CPU_CLASS_COUNT];
    minute->samples++;
    if (monitor_cpu_shares(monitor, shares))
        machine_minute_add(minute, MACHINE_CPU, host_sample_busy(shares));
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

static void store(struct engine *engine, const struct machine_minute *minute)
{
    const int64_t kept = engine->options.machine_us / ROLLUP_MINUTE_US;
    struct error err;
    if (engine->broken || minute->samples == 0)
        return;
    if (machine_rows_put(engine->db, minute, &err) < 0 ||
        machine_rows_prune(engine->db, minute->minute - kept, &err) < 0)
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
        store(engine, &history->minute);
        history->minute = (struct machine_minute){.minute = minute};
    }
    add_sample(&history->minute, monitor);
}
