#include "daemon/engine/binding.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/core/cpu_layout.h"
#include "daemon/core/gpus.h"
#include "daemon/engine/internal.h"
#include "daemon/resources/cpu_topology.h"

/* What lacks takes a person to put right. */
#define AGAIN_US (10 * US_PER_SECOND)
/* While there is no worker nobody says that a unit may use more again: so often one is made for
 * what waits, to see. */
#define SAID_US (600 * US_PER_SECOND)

static const char no_worker[] = "the workers that are idle are of an older version, which binds "
                                "no job to processors; batchd-worker is to be started anew";

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

void engine_put_off_binding(struct engine *engine, struct job *job)
{
    if (!engine->gate.binding.told)
        log_warning("job %llu, and maybe others that are to be bound to processors, waits: %s",
                    (unsigned long long)job->id, no_worker);
    engine->gate.binding.told = true;
    engine->put_off++;
    engine_watch_backoff(engine, job, clock_monotonic_us() + AGAIN_US);
    job->put_off = true;
}

const char *engine_lacks_binding(const struct job *job)
{
    return job->put_off ? no_worker : NULL;
}

/* Of those that a worker can bind a job to, those that no job has. */
static struct cpu_list idle_of(const struct engine *engine, const struct cpu_list *there)
{
    struct cpu_list idle = *there;
    struct cpu_list taken;
    find_taken(engine, &taken);
    cpu_list_leave(&idle, &taken);
    return idle;
}

static void see(struct engine *engine, uint32_t there, uint32_t idle)
{
    if (scheduler_see_bound(engine->scheduler, there, idle))
        jobset_review(engine->jobs, clock_wall_us());
}

bool engine_may_bind(struct engine *engine, const struct job_facts *facts, uint64_t worker)
{
    struct cpu_list there = engine->options.cpus->usable;
    if (!facts->bound)
        return true;
    engine->gate.binding.told = false;
    cpu_topology_keep_usable(engine->options.sysfs_root, &there);
    const uint32_t usable = cpu_list_count(&there);
    pool_keep_bindable(engine->pool, worker, &there);
    engine->gate.binding.idle = idle_of(engine, &there);
    const uint32_t idle = cpu_list_count(&engine->gate.binding.idle);
    if (idle < facts->cpus && cpu_list_count(&there) < usable &&
        pool_quit_older(engine->pool, worker)) /* the next may use more */
        return false;
    if (idle >= facts->cpus)
        return true;
    pool_ask_bindable(engine->pool); /* they may have become more, or fewer for all */
    see(engine, cpu_list_count(&there), idle);
    return false;
}

static void tell_change(struct binding *binding, uint32_t count, uint32_t all)
{
    if (count < all && count != binding->lasting)
        log_warning("jobs can be bound to %u of %u processors: the others are off, or batchd or "
                    "batchd-worker may not use them",
                    count, all);
    if (count == all && binding->lasting != 0)
        log_info("jobs can be bound to all %u processors again", all);
    binding->lasting = count < all ? count : 0;
}

/* Of processors that batchd can use those that a worker can bind to; without one, those that the
 * last could, unless the next may have others. False: no worker says it. */
static bool keep_most(struct engine *engine, struct cpu_list *list)
{
    struct binding_said *last = &engine->gate.binding.last;
    const struct cpu_list of = *list;
    const uint64_t spawner = pool_spawner(engine->pool);
    const int64_t now = clock_monotonic_us();
    const bool said = pool_keep_most_bindable(engine->pool, list);
    if (said)
        *last = (struct binding_said){
            .of = of, .there = *list, .spawner = spawner, .until = now + SAID_US};
    else if (spawner == last->spawner && cpu_list_equal(&of, &last->of) && now < last->until)
        *list = last->there;
    return said;
}

void engine_look_at_bindable(struct engine *engine)
{
    struct binding *binding = &engine->gate.binding;
    const int64_t now = clock_monotonic_us();
    const uint64_t told = pool_binds_told(engine->pool);
    const uint32_t all = cpu_list_count(&engine->options.cpus->usable);
    const bool fewer = scheduler_total(engine->scheduler)->amount[RESOURCE_BOUND] < all;
    struct cpu_list there = engine->options.cpus->usable;
    if (told == binding->binds_told && (!fewer || now < binding->look_at))
        return;
    binding->binds_told = told;
    binding->look_at = now + AGAIN_US;
    cpu_topology_keep_usable(engine->options.sysfs_root, &there);
    const bool said = keep_most(engine, &there);
    const struct cpu_list idle = idle_of(engine, &there);
    see(engine, cpu_list_count(&there), cpu_list_count(&idle));
    if (said)
        tell_change(binding, cpu_list_count(&there), all);
    if (cpu_list_count(&there) < all)
        pool_ask_bindable(engine->pool);
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
    cpu_list_leave(&others, &engine->gate.binding.idle);
    find_near(engine, status->gpu_set, &near);
    cpu_layout_choose(engine->options.cpus, &others, &near, facts->cpus, &status->cpus);
    if (cpu_list_count(&status->cpus) == facts->cpus)
        return 0;
    return error_set(err, ERROR_INTERNAL,
                     "job %llu was to start and %u processors are not free to be bound to",
                     (unsigned long long)facts->id, facts->cpus);
}
