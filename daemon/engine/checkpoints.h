/* What is told of checkpoints, and what an attempt is told of its folders and outputs. */
#ifndef BATCHD_DAEMON_ENGINE_CHECKPOINTS_H
#define BATCHD_DAEMON_ENGINE_CHECKPOINTS_H

#include "daemon/store/checkpoint_rows.h"

struct engine;

/* A process of the attempt has made a checkpoint: it is the newest, and counted. ERROR_CONFLICT: it
 * does not run. */
int engine_checkpointed(struct engine *engine, const struct attempt_id *id,
                        struct checkpoint_fact *fact, struct error *err);
/* Keeps what there is to be noted of an attempt. */
void engine_note_attempt(struct engine *engine, const struct attempt_id *id,
                         const struct job_notes *notes);

/* job_folders.c: BATCHD_JOB_DIR and BATCHD_CHECKPOINT_DIR. */
void engine_add_folders(const struct engine *engine, struct job_run *run);
/* There, too: outputs are the attempt's own, and it is told where to write them. */
void engine_add_outputs(struct job_run *run);

#endif
