/* Where a job keeps its checkpoints. The folder is made by the first commit, by a process of the
 * job's user (common/checkpoint.h): a job that makes none costs nothing.
 *
 *   a person's daemon: STATE/jobs/ID[/INDEX]/checkpoint
 *   the machine's: STATE/checkpoints/UID/ID[_INDEX], since jobs/ID is the workers' and closed to
 * users; the folder of the UID is that user's alone (worker/user_folder.h) */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "daemon/engine/internal.h"

static char *checkpoint_folder(const struct engine *engine, const struct job_run *run,
                               const char *folder)
{
    const struct attempt_id *id = &run->id;
    if (!engine->options.system)
        return xasprintf("%s/checkpoint", folder);
    char *plain = xasprintf("%s/checkpoints/%u/%llu", engine->options.state_dir, run->uid,
                            (unsigned long long)id->job);
    if (!id->is_task)
        return plain;
    char *task = xasprintf("%s_%llu", plain, (unsigned long long)id->index);
    free(plain);
    return task;
}

void engine_add_folders(const struct engine *engine, struct job_run *run)
{
    CLEANUP_FREE char *folder = job_folder(engine->options.state_dir, &run->id);
    CLEANUP_FREE char *checkpoints = checkpoint_folder(engine, run, folder);
    job_run_add_env(run, xasprintf("BATCHD_JOB_DIR=%s", folder));
    job_run_add_env(run, xasprintf("BATCHD_CHECKPOINT_DIR=%s", checkpoints));
}
