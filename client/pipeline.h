/* A file of several jobs that depend on each other by name (batchctl submit --file): from the file
 * and --set to the request of SubmitMany. */
#ifndef BATCHD_CLIENT_PIPELINE_H
#define BATCHD_CLIENT_PIPELINE_H

#include "common/json.h"

/* The member "jobs" of the file at `path` ("-": standard input), owned. Where its strings say
 * ${NAME}, and its member "set" has that name, stands the text of that name in `set` (an object of
 * texts), or else what the file says: in the place of a string that is ${NAME} as a whole, a value
 * of that one's type. NULL with err. */
json_t *pipeline_read(const char *path, const json_t *set, struct error *err);

/* What the jobs do not say themselves and comes from here: the folder `cwd` (a value of the
 * wire), from which a relative one counts, the umask, and what `env` has. */
void pipeline_add_here(json_t *jobs, json_t *cwd, int64_t umask, const json_t *env);

#endif
