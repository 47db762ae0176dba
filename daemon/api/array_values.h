/* The values of an array's tasks, on the wire: in the submit itself, or added before it in parts.
 */
#ifndef BATCHD_DAEMON_API_ARRAY_VALUES_H
#define BATCHD_DAEMON_API_ARRAY_VALUES_H

#include "daemon/api/verb.h"

/* Whether a submit has the member "values" or "values_id". */
bool array_values_given(const json_t *params);

/* Takes them: facts->value_set is theirs, and facts->array, which had nothing or a limit ("%8"),
 * names a task for each. Until a job keeps it the set is to be dropped (engine_values_drop) when
 * the submit is refused. 0, or -1 with ERROR_INVALID naming the field, ERROR_LIMIT or ERROR_BUSY.
 */
int array_values_take(const struct api_call *call, const json_t *params, struct job_facts *facts,
                      struct error *err);

/* Adds the member "value" of a task that has one. */
void array_values_view(const struct api *api, const struct job_row *task, json_t *object);

#endif
