#include "daemon/engine/binding.h"

#include "daemon/core/cpu_layout.h"
#include "daemon/core/gpus.h"
#include "daemon/engine/internal.h"
#include "daemon/resources/cpu_topology.h"

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

int engine_bind(const struct engine *engine, const struct job_facts *facts,
                struct job_status *status, struct error *err)
{
    struct cpu_list taken, near;
    status->cpus = (struct cpu_list){.bits = {0}};
    if (!facts->bound)
        return 0;
    find_taken(engine, &taken);
    find_near(engine, status->gpu_set, &near);
    cpu_layout_choose(engine->options.cpus, &taken, &near, facts->cpus, &status->cpus);
    if (cpu_list_count(&status->cpus) == facts->cpus)
        return 0;
    return error_set(err, ERROR_INTERNAL,
                     "job %llu was to start and %u processors are not free to be bound to",
                     (unsigned long long)facts->id, facts->cpus);
}

bool engine_lacks_binding(const struct engine *engine)
{
    return engine->no_binding;
}
