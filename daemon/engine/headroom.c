/* Memory that jobs asked for and have not taken is kept for them: each sample tells the scheduler
 * how much of the memory is elsewhere (core/headroom.h). What a job has taken is what the processes
 * below its worker have of their own. It is known from a while after its start on; until then, and
 * where /proc does not tell, it counts as nothing, and so what is kept is rather too much. */
#include "daemon/core/headroom.h"

#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/resources/monitor.h"
#include "daemon/resources/process_memory.h"

/* Files of /proc that are looked at for a sample, of all jobs together: half a millisecond. Whose
 * turn does not come is looked at for the next. */
#define LOOKS 100U

static bool asks(const struct active *entry)
{
    return entry->run != 0 && entry->asked.amount[RESOURCE_MEMORY] > 0;
}

/* One that was not looked at in this round; NULL: all were. */
static struct active *next_to_look_at(const struct engine *engine)
{
    struct active *entry = engine->active;
    while (entry != NULL && (!asks(entry) || entry->memory_round == engine->gate.memory_round))
        entry = entry->next;
    return entry;
}

static void look_at_jobs(struct engine *engine)
{
    struct active *entry;
    uint32_t looks = LOOKS;
    while (looks > 0 && (entry = next_to_look_at(engine)) != NULL) {
        uint64_t bytes = 0;
        const uint32_t pid = pool_pid(engine->pool, entry->status.worker);
        entry->memory_round = engine->gate.memory_round;
        if (pid != 0 &&
            (process_memory_below(monitor_root(engine->options.monitor), pid, &looks, &bytes) ||
             bytes > entry->memory_taken))
            entry->memory_taken = bytes;
    }
    if (looks > 0)
        engine->gate.memory_round++;
}

/* Of each no more than it asked for: beyond that it is not what was kept for it. */
static uint64_t taken_by_jobs(const struct engine *engine)
{
    uint64_t sum = 0;
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        const uint64_t asked = entry->asked.amount[RESOURCE_MEMORY];
        if (asks(entry))
            sum += entry->memory_taken < asked ? entry->memory_taken : asked;
    }
    return sum;
}

void engine_see_headroom(struct engine *engine, const struct host_sample *sample)
{
    struct headroom headroom = {.promised =
                                    scheduler_total(engine->scheduler)->amount[RESOURCE_MEMORY],
                                .installed = sample->memory_total_bytes,
                                .available = sample->memory_available_bytes};
    if (!sample->memory_known || !engine->options.memory_headroom) {
        scheduler_set_elsewhere(engine->scheduler, 0);
        return;
    }
    if (headroom_elsewhere(&headroom) > 0) /* else it does not matter what they have */
        look_at_jobs(engine);
    headroom.taken = taken_by_jobs(engine);
    scheduler_set_elsewhere(engine->scheduler, headroom_elsewhere(&headroom));
}
