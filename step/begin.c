/* Before an attempt. Nothing here keeps it from running: what cannot be removed is left, and
 * without a valid checkpoint the job begins anew. */
#include "common/checkpoint.h"
#include "common/program.h"
#include "step/notes.h"
#include "step/steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The convention of shells, as of a job that is executed without this step. */
#define STATUS_NOT_EXECUTABLE 126

static void note_passed_over(void *arg, uint64_t number, const char *why)
{
    (void)arg;
    (void)fprintf(stderr, "batchd: checkpoint %" PRIu64 " is passed over: %s\n", number, why);
    notes_add("note checkpoint %" PRIu64 " was passed over: %s", number, why);
}

static void find_checkpoint(const char *folder)
{
    struct checkpoint found = {0};
    if (checkpoint_newest(folder, note_passed_over, NULL, &found) > 0) {
        notes_add("resumed %" PRIu64 " %" PRIu32, found.number, found.attempt);
        (void)setenv("BATCHD_CHECKPOINT", found.path, 1);
    }
    checkpoint_done(&found);
}

int step_begin(const struct step *step)
{
    const char *folder = getenv("BATCHD_CHECKPOINT_DIR");
    char **argv = step->rest + 1;
    outputs_remove_staged(step, 1, step->id.attempt);
    if (folder != NULL && step->id.attempt > 1)
        find_checkpoint(folder);
    (void)fflush(stderr);
    program_execute(step->rest[0], getenv("PATH"), argv, environ);
    notes_add("spawn %d", errno);
    return STATUS_NOT_EXECUTABLE;
}
