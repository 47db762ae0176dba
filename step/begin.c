/* Before an attempt. Nothing here but a want of memory keeps it from running: what cannot be
 * removed is left, and without a valid checkpoint the job begins anew. */
#include "common/alloc.h"
#include "common/checkpoint.h"
#include "common/program.h"
#include "step/notes.h"
#include "step/steps.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
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

/* Else our end would be taken for that of the job, which has not begun. */
static void note_no_memory(void)
{
    notes_add("spawn %d", ENOMEM);
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

static void on_request(int number)
{
    (void)number; /* there is no job yet that could make a checkpoint */
}

/* Whoever asks the job for one, or sends it a word, does not know that it is not there yet. What is
 * caught is the default again for the job. */
static void outlive_requests(void)
{
    static const int numbers[] = {SIGHUP, SIGUSR1, SIGUSR2};
    struct sigaction action = {.sa_handler = on_request, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sigaction(numbers[i], &action, NULL);
}

int step_begin(const struct step *step)
{
    const char *folder = getenv("BATCHD_CHECKPOINT_DIR");
    char **argv = step->rest + 1;
    outlive_requests();
    out_of_memory_tell(note_no_memory);
    outputs_remove_staged(step, 1, step->id.attempt);
    if (folder != NULL && step->id.attempt > 1)
        find_checkpoint(folder);
    (void)fflush(stderr);
    program_execute(step->rest[0], getenv("PATH"), argv, environ);
    notes_add("spawn %d", errno);
    return STATUS_NOT_EXECUTABLE;
}
