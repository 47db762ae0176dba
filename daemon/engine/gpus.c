#include "daemon/engine/gpus.h"

#include "daemon/engine/internal.h"

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
