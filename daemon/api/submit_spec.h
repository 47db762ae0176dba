/* From the parameters of Submit to struct job_facts: every check of form and range. */
#ifndef BATCHD_DAEMON_API_SUBMIT_SPEC_H
#define BATCHD_DAEMON_API_SUBMIT_SPEC_H

#include "daemon/api/verb.h"

extern const char *const submit_fields[];

/* 0 and *ret (job_facts_done), or -1 with ERROR_INVALID naming the field, or ERROR_NOT_FOUND for an
 * unknown queue or type (err->field is "queue" or "type"). */
int submit_spec_decode(const struct api_call *call, const json_t *params, struct job_facts *ret,
                       struct error *err);

#endif
