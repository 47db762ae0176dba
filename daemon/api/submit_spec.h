/* From the parameters of Submit to struct job_facts: every check of form and range. */
#ifndef BATCHD_DAEMON_API_SUBMIT_SPEC_H
#define BATCHD_DAEMON_API_SUBMIT_SPEC_H

#include "daemon/api/verb.h"

extern const char *const submit_fields[];

/* 0 and *ret (job_facts_done), or -1 with ERROR_INVALID naming the field, or ERROR_NOT_FOUND for an
 * unknown queue or type (err->field is "queue" or "type"). */
int submit_spec_decode(const struct api_call *call, const json_t *params, struct job_facts *ret,
                       struct error *err);

/* The client's key, borrowed; NULL: none. */
int submit_key_read(const json_t *params, const char **ret, struct error *err);

/* What Submit replies to a request that was refused (cmd_submit.c): `id` is the job that has the
 * key already, or 0. */
void submit_refuse(struct api_call *call, const struct error *err, uint64_t id);
/* True after replying: no job may run as its user, or it could not start on this machine. */
bool submit_refuse_job(struct api_call *call, const struct job_facts *facts);

#endif
