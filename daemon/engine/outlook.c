#include "daemon/engine/outlook.h"

#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"

void engine_running_each(const struct engine *engine, engine_running_fn each, void *arg)
{
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next)
        each(arg, jobset_find(engine->jobs, entry->status.id), &entry->status, entry->run != 0);
}
