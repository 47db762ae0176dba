/* Why a job does not run, in words: the short list that every job shows, and for `why` each reason
 * that applies with what it is about and what would lift it. A user reads nothing of other users'
 * jobs but what they hold together. */
#ifndef BATCHD_DAEMON_API_REASONS_H
#define BATCHD_DAEMON_API_REASONS_H

#include "daemon/api/verb.h"

/* ["Held", "BeginTime"]. Of the jobs before it, it says only when nothing else keeps it. */
json_t *reasons_words(const struct api *api, const struct job_row *row);

/* [{reason, detail, lifts, jobs, at}]: all that applies to a job, to the tasks of an array that are
 * to come, or to a task that waits. `jobs` are ids that the caller may see; `at` is when it lifts
 * by itself, or null. */
json_t *reasons_view(const struct api_call *call, const struct job_row *row);

/* Whether it waits, or a task of the array does. */
bool reasons_waits(const struct api *api, const struct job_row *row);

#endif
