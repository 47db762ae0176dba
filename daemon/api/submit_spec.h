/* From the parameters of Submit to struct job_facts: every check of form and range. */
#ifndef BATCHD_DAEMON_API_SUBMIT_SPEC_H
#define BATCHD_DAEMON_API_SUBMIT_SPEC_H

#include "daemon/api/verb.h"

#define SUBMIT_SPAN_MS_MAX (INT64_C(1000) * 86400 * 3650)    /* ten years */
#define SUBMIT_TIME_US_MAX (INT64_C(253402300799) * 1000000) /* the end of the year 9999 */

struct job_run;

extern const char *const submit_fields[];

/* 0 and *ret (job_facts_done), or -1 with ERROR_INVALID naming the field, or ERROR_NOT_FOUND for an
 * unknown queue or type (err->field is "queue" or "type"). */
int submit_spec_decode(const struct api_call *call, const json_t *params, struct job_facts *ret,
                       struct error *err);

/* The client's key, borrowed; NULL: none. */
int submit_key_read(const json_t *params, const char **ret, struct error *err);
/* Parts of it, for an edit. The queue must be there (ERROR_NOT_FOUND, field "queue"). */
int submit_spec_queue(const struct api_call *call, const char *queue, struct job_facts *facts,
                      struct error *err);
/* name; tags, all of them; cwd and stdin. What is not given stays. */
int submit_spec_name(const json_t *params, struct job_facts *facts, struct error *err);
int submit_spec_tags(const json_t *params, struct job_facts *facts, struct error *err);
int submit_spec_places(const json_t *params, struct job_run *run, struct error *err);
int submit_spec_priority(const char *word, struct job_facts *facts, struct error *err);
/* The signal before its timeout (or its deadline, if it has one), where it is given; an empty one
 * takes away what *run has. */
int submit_spec_warning(const json_t *params, struct job_run *run, bool has_deadline,
                        struct error *err);
void submit_spec_put_run(const struct job_run *run, struct job_facts *facts);

/* What Submit replies to a request that was refused (cmd_submit.c): `id` is the job that has the
 * key already, or 0. */
void submit_refuse(struct api_call *call, const struct error *err, uint64_t id);
/* True after replying: the request, which has a key, was made before, or another was with that key.
 * *ret_digest is what the job is to have; owned, NULL without a key. */
bool submit_answered(struct api_call *call, const char *method, char **ret_digest);
/* {id, state, existing, dry_run} for a job that would be made: its id, which nobody
 * knows yet, is 0, or of a retry that of the old job. */
void submit_answer_dry_run(struct api_call *call, uint64_t id);
/* Duplicate: the job `id` has what this one is to be unique by. */
void submit_refuse_duplicate(struct api_call *call, const struct error *err, uint64_t id);
/* {id, state, existing} for a job that was submitted, or was there already. */
void submit_answer(struct api_call *call, uint64_t id, bool existing);
/* True after replying: no job may run as this user. */
bool submit_refuse_uid(struct api_call *call, uint32_t uid);
/* True after replying: no job may run as its user, or it could not start on this machine. */
bool submit_refuse_job(struct api_call *call, const struct job_facts *facts);

#endif
