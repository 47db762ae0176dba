/* What is known of a job's checkpoints, as Show tells it. */
#ifndef BATCHD_DAEMON_API_CHECKPOINTS_H
#define BATCHD_DAEMON_API_CHECKPOINTS_H

#include "daemon/api/verb.h"

/* Adds "checkpoint" {number, attempt, made_at, bytes, count}, and of the current attempt
 * "resumed_from" {number, attempt} and "note"; null where there is none. */
void checkpoints_view(const struct api *api, const struct job_row *row, json_t *object);

#endif
