/* Memory that jobs asked for and have not taken is kept for them: each sample tells the scheduler
 * how much of the memory is elsewhere (core/headroom.h). What a job has taken is what its control
 * group has, or else the processes below its worker. Where neither can be seen it counts as nothing
 * for a while, and then as all that it asked for: most take what they need soon. */
#include "common/clock.h"
#include "daemon/core/headroom.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/resources/monitor.h"
#include "daemon/resources/process_memory.h"

/* Files of /proc that are looked at for a sample, of all jobs together: half a millisecond. Whose
 * turn does not come is looked at for the next. */
#define LOOKS 100U
#define HIDDEN_US (30 * US_PER_SECOND)

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

static void look_at(struct engine *engine, struct active *entry, uint32_t *looks)
{
    uint64_t bytes = 0;
    const char *root = monitor_root(engine->options.monitor);
    const uint32_t pid = pool_pid(engine->pool, entry->status.worker);
    enum memory_seen seen = process_memory_of_group(root, entry->status.worker, &bytes);
    if (seen == MEMORY_HIDDEN && pid != 0)
        seen = process_memory_below(root, pid, looks, &bytes);
    entry->memory_hidden = seen == MEMORY_HIDDEN;
    if (seen == MEMORY_ALL || bytes > entry->memory_taken)
        entry->memory_taken = bytes;
}

static void look_at_jobs(struct engine *engine)
{
    struct active *entry;
    uint32_t looks = LOOKS;
    while (looks > 0 && (entry = next_to_look_at(engine)) != NULL) {
        entry->memory_round = engine->gate.memory_round;
        looks--;
        look_at(engine, entry, &looks);
    }
    if (looks > 0)
        engine->gate.memory_round++;
}

/* Of each no more than it asked for: beyond that it is not what was kept for it. */
static uint64_t taken_by(const struct active *entry, int64_t now)
{
    const uint64_t asked = entry->asked.amount[RESOURCE_MEMORY];
    const int64_t since = entry->status.started_at;
    if (entry->memory_hidden)
        return since > 0 && now - since >= HIDDEN_US ? asked : 0;
    return entry->memory_taken < asked ? entry->memory_taken : asked;
}

static uint64_t taken_by_jobs(const struct engine *engine)
{
    uint64_t sum = 0;
    const int64_t now = clock_wall_us();
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next)
        sum += asks(entry) ? taken_by(entry, now) : 0;
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
