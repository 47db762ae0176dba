/* Where a job keeps its checkpoints, and where it writes its outputs.
 *
 * The folder of checkpoints is made by the first commit, by a process of the job's user
 * (common/checkpoint.h): a job that makes none costs nothing.
 *
 *   a person's daemon: STATE/jobs/ID[/INDEX]/checkpoint
 *   the machine's: STATE/checkpoints/UID/ID[/INDEX], since jobs/ID is the workers' and closed to
 * users; the folder of the UID is that user's alone (worker/user_folder.h) */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/staged_path.h"
#include "daemon/engine/checkpoints.h"
#include "daemon/engine/internal.h"

#include <string.h>

static char *checkpoint_folder(const struct engine *engine, const struct job_run *run,
                               const char *folder)
{
    const struct attempt_id *id = &run->id;
    if (!engine->options.system)
        return xasprintf("%s/checkpoint", folder);
    CLEANUP_FREE char *index =
        id->is_task ? xasprintf("/%llu", (unsigned long long)id->index) : xstrdup("");
    return xasprintf("%s/checkpoints/%u/%llu%s", engine->options.state_dir, run->uid,
                     (unsigned long long)id->job, index);
}

void engine_add_folders(const struct engine *engine, struct job_run *run)
{
    CLEANUP_FREE char *folder = job_folder(engine->options.state_dir, &run->id);
    CLEANUP_FREE char *checkpoints = checkpoint_folder(engine, run, folder);
    job_run_add_env(run, xasprintf("BATCHD_JOB_DIR=%s", folder));
    job_run_add_env(run, xasprintf("BATCHD_CHECKPOINT_DIR=%s", checkpoints));
}

/* A task's own: its index in the place of each STAGED_INDEX. */
static char *own_path(const char *path, const struct attempt_id *id)
{
    char *whole = xstrdup(path);
    char *at;
    size_t from = 0;
    while (id->is_task && (at = strstr(whole + from, STAGED_INDEX)) != NULL) {
        size_t before = (size_t)(at - whole);
        char *next = xasprintf("%.*s%llu%s", (int)before, whole, (unsigned long long)id->index,
                               at + strlen(STAGED_INDEX));
        from = strlen(next) - strlen(at + strlen(STAGED_INDEX));
        free(whole);
        whole = next;
    }
    return whole;
}

/* Absolute, so that the job may be anywhere when it writes. */
static char *write_path(const struct job_run *run, const char *path, unsigned number)
{
    CLEANUP_FREE char *staged = staged_path(path, &run->id, number);
    return staged[0] == '/' ? TAKE_PTR(staged) : xasprintf("%s/%s", run->cwd, staged);
}

static void replace_words(struct job_run *run, const char *declared, const char *written)
{
    for (uint32_t i = 1; i < run->argc; i++) {
        if (strcmp(run->argv[i], declared) == 0) {
            free(run->argv[i]);
            run->argv[i] = xstrdup(written);
        }
    }
}

void engine_add_outputs(struct job_run *run)
{
    for (uint32_t i = 0; i < run->output_count; i++) {
        CLEANUP_FREE char *declared = run->outputs[i];
        run->outputs[i] = own_path(declared, &run->id);
        CLEANUP_FREE char *written = write_path(run, run->outputs[i], i + 1);
        replace_words(run, declared, written);
        if (i == 0)
            job_run_add_env(run, xasprintf("BATCHD_OUTPUT=%s", written));
        job_run_add_env(run, xasprintf("BATCHD_OUTPUT_%u=%s", i + 1, written));
    }
}
