/* After an attempt. All outputs are checked and on disk before the first is put in its place. */
#include "common/alloc.h"
#include "common/file_tree.h"
#include "common/staged_path.h"
#include "step/notes.h"
#include "step/output.h"
#include "step/steps.h"

#include <stdlib.h>
#include <sysexits.h>

/* Attempts are few; a wild number must not become a long loop. */
#define ATTEMPTS_SWEPT_MAX 100U

void outputs_remove_staged(const struct step *step, uint32_t first, uint32_t last)
{
    struct attempt_id id = step->id;
    if (last - first >= ATTEMPTS_SWEPT_MAX)
        first = last - ATTEMPTS_SWEPT_MAX + 1;
    for (id.attempt = first; id.attempt <= last; id.attempt++) {
        for (unsigned i = 0; i < step->output_count; i++) {
            char *staged = staged_path(step->outputs[i], &id, i + 1);
            (void)file_tree_remove(staged, NULL);
            free(staged);
        }
    }
}

static int examine(const struct step *step, struct output *output, struct error *err)
{
    if (output_find(output, step->started_at, err) < 0)
        return -1;
    for (char **check = step->rest; *check != NULL; check++) {
        if (output_check(output, *check, err) < 0)
            return -1;
    }
    return output_sync(output, err);
}

static int fail(const struct output *output, const struct error *err)
{
    notes_add("failed output \"%.80s\": %s", output->path, err->text);
    return EX_CANTCREAT;
}

static int finish(const struct step *step, struct output *outputs)
{
    struct error err;
    for (unsigned i = 0; i < step->output_count; i++) {
        if (examine(step, &outputs[i], &err) < 0)
            return fail(&outputs[i], &err);
    }
    for (unsigned i = 0; i < step->output_count; i++) {
        if (outputs[i].in_place)
            notes_add("note output \"%.80s\" was written in its place by the job",
                      step->outputs[i]);
        if (output_place(&outputs[i], &err) < 0)
            return fail(&outputs[i], &err);
    }
    return EX_OK;
}

int step_finish(const struct step *step)
{
    struct output *outputs = xcalloc(step->output_count, sizeof(*outputs));
    for (unsigned i = 0; i < step->output_count; i++)
        outputs[i] = (struct output){.path = step->outputs[i],
                                     .staged = staged_path(step->outputs[i], &step->id, i + 1),
                                     .folder = -1};
    int status = finish(step, outputs);
    for (unsigned i = 0; i < step->output_count; i++)
        output_done(&outputs[i]);
    free(outputs);
    return status;
}

int step_discard(const struct step *step)
{
    outputs_remove_staged(step, step->id.attempt, step->id.attempt);
    return EX_OK;
}
