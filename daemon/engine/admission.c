/* The machine as it was last looked at (resources/monitor.c), against the marks: whether jobs
 * start. What runs goes on in any case. */
#include "daemon/engine/gate.h"

#include "common/crc32c.h"
#include "common/log.h"
#include "daemon/engine/internal.h"
#include "daemon/resources/monitor.h"
#include "daemon/store/number_rows.h"

#include <string.h>

/* The name of what is stored: which figures stop jobs, and of which boot that is. */
#define STORED "admission"
#define BOOT_SHIFT 16U

/* In percent. What is set aside for huge pages, as databases and virtual machines want, neither
 * runs short nor comes back: it is not counted. -1: it is not known. */
static double memory_used(const struct host_sample *sample)
{
    if (!sample->memory_known || sample->memory_total_bytes <= sample->memory_huge_bytes)
        return -1;
    const double total = (double)(sample->memory_total_bytes - sample->memory_huge_bytes);
    return 100 * (1 - (double)sample->memory_available_bytes / total);
}

static void see(struct engine *engine, const struct host_sample *sample)
{
    static const struct {
        enum admission_figure figure;
        enum pressure_kind kind;
    } pressures[] = {{ADMISSION_MEMORY_PRESSURE, PRESSURE_MEMORY},
                     {ADMISSION_IO_PRESSURE, PRESSURE_IO},
                     {ADMISSION_CPU_PRESSURE, PRESSURE_CPU}};
    const double used = memory_used(sample);
    admission_see(&engine->gate.admission, ADMISSION_MEMORY_USED, used >= 0, used);
    for (unsigned i = 0; i < sizeof(pressures) / sizeof(pressures[0]); i++) {
        const struct pressure *pressure = &sample->pressure[pressures[i].kind];
        admission_see(&engine->gate.admission, pressures[i].figure, pressure->known,
                      pressure->some);
    }
    admission_see(&engine->gate.admission, ADMISSION_BATTERY, sample->power.on_battery,
                  sample->power.percent);
    admission_end_sample(&engine->gate.admission, scheduler_running(engine->scheduler));
    engine_see_headroom(engine, sample);
}

/* What is between the marks looks the same before and after it was short, so a restart would let
 * all start; and to take it for short at every start would slow a machine down for ever that was
 * not. */
static int64_t number_of(const struct engine *engine, uint64_t stopped)
{
    const char *boot = engine->options.boot_id;
    return stopped == 0
               ? 0
               : (int64_t)((uint64_t)crc32c(0, boot, strlen(boot)) << BOOT_SHIFT | stopped);
}

int engine_load_admission(struct engine *engine, struct error *err)
{
    int64_t stored;
    if (number_rows_get(engine->db, STORED, &stored, err) < 0)
        return -1;
    const uint64_t stopped = (uint64_t)stored & ((1U << BOOT_SHIFT) - 1);
    engine->gate.stored = stored;
    if (stored == number_of(engine, stopped))
        admission_restore(&engine->gate.admission, stopped);
    return 0;
}

static void store(struct engine *engine)
{
    struct error err;
    const int64_t number = number_of(engine, admission_stopped(&engine->gate.admission));
    if (number == engine->gate.stored)
        return;
    engine->gate.stored = number;
    if (number_rows_set(engine->db, STORED, number, &err) < 0)
        engine_break(engine, &err);
}

/* What is new; `was` is as it was before. */
static void tell(const struct admission *admission, const struct admission *was)
{
    for (unsigned i = 0; i < ADMISSION_FIGURE_COUNT; i++) {
        if (admission->stopped[i] && !was->stopped[i])
            log_warning("no job starts: %s is at %.1f%%, until it is at %.0f%%", admission_words[i],
                        admission->last[i], admission->marks[i].go);
    }
    if (admission_open(admission) && !admission_open(was))
        log_info("jobs start again");
}

void engine_see_machine(struct engine *engine)
{
    const struct host_sample *sample = monitor_latest(engine->options.monitor);
    const struct admission was = engine->gate.admission;
    if (sample->taken_at == engine->gate.seen_at)
        return;
    engine->gate.seen_at = sample->taken_at;
    see(engine, sample);
    engine_see_volumes(engine);
    tell(&engine->gate.admission, &was);
    store(engine);
    engine_store_volumes(engine);
}

bool engine_admits(const struct engine *engine)
{
    return engine_takes(engine) && engine_volumes_open(engine);
}

bool engine_is_open(const struct engine *engine)
{
    return admission_open(&engine->gate.admission) && engine_volumes_open(engine);
}

bool engine_takes(const struct engine *engine)
{
    return admission_takes(&engine->gate.admission, scheduler_running(engine->scheduler)) ||
           (engine->active == NULL && admission_open_for_one(&engine->gate.admission));
}

const struct admission *engine_admission(const struct engine *engine)
{
    return &engine->gate.admission;
}
