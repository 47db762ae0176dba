/* The checkpoints of the job that this process belongs to, as its environment names it: for
 * batchctl inside the job and for batchd-job. */
#ifndef BATCHD_COMMON_OWN_CHECKPOINT_H
#define BATCHD_COMMON_OWN_CHECKPOINT_H

#include "common/checkpoint.h"

/* BATCHD_CHECKPOINT_DIR; NULL with err: we are in no job. */
const char *own_checkpoint_folder(struct error *err);

/* checkpoint_commit with what the environment says. Afterwards batchd is told, for show; the
 * checkpoint is made, whether it is there to hear of it at `socket` (NULL: its usual place) or
 * not. */
int own_checkpoint_commit(const char *socket, const char *source, enum checkpoint_source kind,
                          struct checkpoint *ret, struct error *err);

#endif
