/* The job that a schedule submits: the parameters of Submit, kept as they were given and read anew
 * for each run, so that a run is what a submit at that time would be. */
#ifndef BATCHD_DAEMON_API_SCHEDULE_JOB_H
#define BATCHD_DAEMON_API_SCHEDULE_JOB_H

#include "common/json.h"
#include "daemon/api/verb.h"
#include "daemon/core/schedule.h"

/* A schedule_job_fn (engine/schedules.h): `api` is a struct api. Errors as of submit_spec_decode;
 * ERROR_DAMAGED when the text is no JSON. */
int schedule_job_decode(void *api, const struct schedule *schedule, const char *job,
                        struct job_facts *ret, struct error *err);

/* Refuses members that Submit has not, and those that the schedule decides. */
int schedule_job_check(const json_t *job, struct error *err);

/* The job with these members changed: those that are null go, those within env, tags, params and
 * resources one by one. A new reference. */
json_t *schedule_job_changed(const json_t *job, const json_t *changes);

#endif
