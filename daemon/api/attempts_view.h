/* The attempts of a job, or of a task of an array, as JSON. */
#ifndef BATCHD_DAEMON_API_ATTEMPTS_VIEW_H
#define BATCHD_DAEMON_API_ATTEMPTS_VIEW_H

#include "daemon/api/verb.h"

/* [{attempt, worker, started_at, ended_at, outcome, usage, memory_bytes, charged, retry_ms}], those
 * before the current one, and the current or last one once it was begun. */
json_t *attempts_view(const struct api *api, const struct job_row *row);

/* What a job like this one should ask for, since one of its attempts, or (while it has not ended
 * well) one of another job of its name or type, had too little memory; 0: none had. */
uint64_t attempts_suggest_memory(const struct api *api, const struct job_row *row);

#endif
