#include "daemon/engine/binding.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/core/cpu_layout.h"
#include "daemon/core/gpus.h"
#include "daemon/engine/internal.h"
#include "daemon/resources/cpu_topology.h"

/* Both take a person to put right. */
#define AGAIN_US (10 * US_PER_SECOND)

static const char no_worker[] = "the workers that are idle are of an older version, which binds "
                                "no job to processors; batchd-worker is to be started anew";
static const char no_processors[] = "of the processors that it could be bound to some are off, or "
                                    "batchd or batchd-worker may not use them";

static void find_taken(const struct engine *engine, struct cpu_list *ret)
{
    *ret = (struct cpu_list){.bits = {0}};
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next)
        cpu_list_join(ret, &entry->status.cpus);
}

/* Until its GPUs have told where they are they are near to none. */
static void find_near(const struct engine *engine, uint64_t gpu_set, struct cpu_list *ret)
{
    *ret = (struct cpu_list){.bits = {0}};
    for (unsigned i = 0; i < GPUS_MAX; i++) {
        const struct gpu_device *device = &engine->gate.gpus.device[i];
        if ((gpu_set >> i & 1U) != 0 && device->pci[0] != '\0')
            cpu_topology_add_near(engine->options.sysfs_root, device->pci, ret);
    }
}

/* ---- what lacks ---- */

static void put_off(struct engine *engine, struct job *job, const char *lacks)
{
    if (engine->lacks_binding != lacks)
        log_warning("job %llu, and maybe others that are to be bound to processors, waits: %s",
                    (unsigned long long)job->id, lacks);
    engine->lacks_binding = lacks;
    engine->put_off++;
    engine_watch_backoff(engine, job, clock_monotonic_us() + AGAIN_US);
}

void engine_put_off_binding(struct engine *engine, struct job *job)
{
    put_off(engine, job, no_worker);
}

bool engine_may_bind(struct engine *engine, struct job *job, const struct job_facts *facts,
                     uint64_t worker)
{
    struct cpu_list taken;
    if (!facts->bound)
        return true;
    engine->bindable = engine->options.cpus->usable;
    cpu_topology_keep_usable(engine->options.sysfs_root, &engine->bindable);
    pool_keep_bindable(engine->pool, worker, &engine->bindable);
    find_taken(engine, &taken);
    cpu_list_leave(&engine->bindable, &taken);
    if (cpu_list_count(&engine->bindable) < facts->cpus) {
        pool_ask_bindable(engine->pool, worker); /* they may have become more */
        put_off(engine, job, no_processors);
        return false;
    }
    engine->lacks_binding = NULL;
    return true;
}

const char *engine_lacks_binding(const struct engine *engine)
{
    return engine->lacks_binding;
}

/* ---- which it gets ---- */

int engine_bind(const struct engine *engine, const struct job_facts *facts,
                struct job_status *status, struct error *err)
{
    struct cpu_list others, near;
    status->cpus = (struct cpu_list){.bits = {0}};
    if (!facts->bound)
        return 0;
    others = engine->options.cpus->usable;
    cpu_list_leave(&others, &engine->bindable);
    find_near(engine, status->gpu_set, &near);
    cpu_layout_choose(engine->options.cpus, &others, &near, facts->cpus, &status->cpus);
    if (cpu_list_count(&status->cpus) == facts->cpus)
        return 0;
    return error_set(err, ERROR_INTERNAL,
                     "job %llu was to start and %u processors are not free to be bound to",
                     (unsigned long long)facts->id, facts->cpus);
}
