/* How a job is to stand beside others, on the wire: the members nice, io_priority and pids. */
#ifndef BATCHD_DAEMON_API_LIMIT_MEMBERS_H
#define BATCHD_DAEMON_API_LIMIT_MEMBERS_H

#include "common/job_limits.h"
#include "daemon/core/limit_policy.h"

#include <jansson.h>

/* What is not there stays as it is in *limits. `least_pids`: 1, or 0, which is no limit. 0, or -1
 * with ERROR_INVALID naming the field: it is out of range, or more than the machine's settings let
 * a job have. */
int limit_members_take(const json_t *params, const struct limit_policy *policy, unsigned least_pids,
                       struct job_limits *limits, struct error *err);

/* Adds {nice, io_priority, pids} as `limits`: what the job asked for; null where it did not. */
void limit_members_view(const struct job_limits *limits, json_t *object);

#endif
