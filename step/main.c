/* batchd-job: what has to be done for a job with the rights of its user, because it touches that
 * user's files. batchd-worker starts it as it starts the job, as the same user in the same folder
 * with the same environment; it is nobody's to call by hand.
 *
 *   batchd-job begin JOB INDEX ATTEMPT COUNT OUTPUT... PROGRAM ARGV...
 *     before an attempt: removes what earlier ones left of the outputs, finds the newest valid
 *     checkpoint (BATCHD_CHECKPOINT) and becomes the job
 *   batchd-job finish JOB INDEX ATTEMPT STARTED_AT COUNT OUTPUT... CHECK...
 *     after an attempt that ended well: checks its outputs and puts them in their places
 *   batchd-job discard JOB INDEX ATTEMPT COUNT OUTPUT...
 *     after any other: removes what it left of them
 *   batchd-job checkpoint JOB INDEX ATTEMPT 0 PROGRAM LINE
 *     beside a processor, or behind it: commits the checkpoint that it asked for by this line
 *   batchd-job serve JOB INDEX ATTEMPT 0 PID
 *     the job, while the processor PID, which was started with --serve, does it
 *
 * INDEX is - for a job that is no task, PROGRAM is empty when ARGV[0] is looked for in PATH.
 * Descriptor 4 takes notes for the worker (step/notes.h). */
#include "common/glib_memory.h"
#include "common/parse.h"
#include "step/notes.h"
#include "step/steps.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* Of a list of words; counts are checked where they are read. */
struct words {
    char **at;
    int left;
};

static const char *take(struct words *words)
{
    if (words->left == 0)
        return "";
    words->left--;
    return *words->at++;
}

static int take_number(struct words *words, uint64_t max, uint64_t *ret)
{
    return parse_u64(take(words), 0, max, ret, NULL);
}

static int take_id(struct words *words, struct attempt_id *ret)
{
    uint64_t attempt;
    if (take_number(words, UINT64_MAX, &ret->job) < 0)
        return -1;
    const char *index = take(words);
    ret->is_task = strcmp(index, "-") != 0;
    if ((ret->is_task && parse_u64(index, 0, UINT64_MAX, &ret->index, NULL) < 0) ||
        take_number(words, UINT32_MAX, &attempt) < 0)
        return -1;
    ret->attempt = (uint32_t)attempt;
    return 0;
}

static int take_outputs(struct words *words, struct step *step)
{
    uint64_t count;
    if (take_number(words, (uint64_t)words->left, &count) < 0 || count > (uint64_t)words->left)
        return -1;
    step->outputs = words->at;
    step->output_count = (unsigned)count;
    words->at += count;
    words->left -= (int)count;
    return 0;
}

static int usage(void)
{
    (void)fputs("batchd-job is started by batchd-worker\n", stderr);
    return EX_USAGE;
}

/* What is signalled in the job's tree is the processor, or its server. What ends the tree for good
 * ends this, too. */
static void outlive_signals(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
}

int main(int argc, char **argv)
{
    struct words words = {.at = argv + 1, .left = argc - 1};
    struct step step = {.outputs = NULL};
    const char *what = take(&words);
    uint64_t started_at = 0;
    bool finish = strcmp(what, "finish") == 0;
    if (take_id(&words, &step.id) < 0 ||
        (finish && take_number(&words, INT64_MAX, &started_at) < 0) ||
        take_outputs(&words, &step) < 0)
        return usage();
    step.started_at = (int64_t)started_at;
    step.rest = words.at; /* argv ends with NULL, and so does this */
    notes_init();
    glib_must_have_memory();
    if (finish)
        return step_finish(&step);
    if (strcmp(what, "discard") == 0)
        return step_discard(&step);
    const bool checkpoint = strcmp(what, "checkpoint") == 0 && words.left == 2;
    if (checkpoint || (strcmp(what, "serve") == 0 && words.left == 1)) {
        outlive_signals();
        return checkpoint ? step_checkpoint(&step) : step_serve(&step);
    }
    return strcmp(what, "begin") == 0 && words.left >= 2 ? step_begin(&step) : usage();
}
