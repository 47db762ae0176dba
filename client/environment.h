/* The environment that a job is given from the caller's own. */
#ifndef BATCHD_CLIENT_ENVIRONMENT_H
#define BATCHD_CLIENT_ENVIRONMENT_H

#include "common/json.h"

/* Adds to `env` what `policy` (clean, all or none) takes and is not in it yet. What may hold a
 * secret is taken only when it is named. */
void environment_add(json_t *env, const char *policy);

/* Puts NAME=VALUE into `env`, or of NAME alone the caller's own value. 0, or the exit code after
 * reporting. */
int environment_take(json_t *env, const char *text);

#endif
