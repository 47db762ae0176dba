/* What is known of a job's checkpoints, as Show tells it. */
#ifndef BATCHD_DAEMON_API_CHECKPOINTS_H
#define BATCHD_DAEMON_API_CHECKPOINTS_H

#include "daemon/api/verb.h"

/* Adds "checkpoint" {number, attempt, made_at, bytes, count} of the job or task, and the notes of
 * its current attempt; null where there is none. */
void checkpoints_view(const struct api *api, const struct job_status *status, json_t *object);
/* "resumed_from" {number, attempt} and "note" of the attempt that `status` is about. */
void checkpoints_view_notes(const struct api *api, const struct job_status *status, json_t *object);

#endif
