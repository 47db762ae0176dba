/* The steps of batchd-job (main.c). Each returns the exit status of the process. */
#ifndef BATCHD_STEP_STEPS_H
#define BATCHD_STEP_STEPS_H

#include "common/worker_protocol.h"

struct step {
    struct attempt_id id;
    int64_t started_at; /* finish: of clock_file_us */
    char **outputs;     /* as declared: from the folder that the process is in */
    unsigned output_count;
    char *
        *rest; /* begin: program and argv; finish: the checks; checkpoint: the
                * processor's program and its line; serve: the pid of the server; ends with NULL */
};

int step_begin(const struct step *step);
int step_finish(const struct step *step);
int step_discard(const struct step *step);
int step_checkpoint(const struct step *step);
int step_serve(const struct step *step);

/* Removes what attempts `first` to `last` have written of the outputs and not put in place. */
void outputs_remove_staged(const struct step *step, uint32_t first, uint32_t last);

#endif
