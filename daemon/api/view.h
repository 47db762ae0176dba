/* A job as JSON: the only place that makes it (CLI.md, "A job in JSON"). */
#ifndef BATCHD_DAEMON_API_VIEW_H
#define BATCHD_DAEMON_API_VIEW_H

#include "daemon/api/verb.h"

/* What it runs: job_run_done. -1: it cannot be read. */
int view_decode_run(const struct job_row *row, struct job_run *ret);
json_t *view_job(const struct api *api, const struct job_row *row);
/* Of an attempt that ended, in a job of this state; else null. */
json_t *view_usage(const struct job_status *status, enum job_state state);
json_t *view_outcome(const struct outcome *outcome, enum job_state state);
/* {name: value} or [name] of the job's environment. */
json_t *view_env(const struct job_row *row, bool values);
json_t *view_event(const struct bus_event *event, const char *progress);
json_t *view_time(int64_t at);              /* null for 0 */
json_t *view_queues(const struct api *api); /* all queues (cmd_queues.c) */

#endif
