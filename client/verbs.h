/* The verbs, one file each or one for a small family, and what they call of each other. */
#ifndef BATCHD_CLIENT_VERBS_H
#define BATCHD_CLIENT_VERBS_H

#include "client/cli.h"

extern const struct verb verb_submit, verb_list, verb_show, verb_logs, verb_wait, verb_cancel;
extern const struct verb verb_status, verb_top, verb_ping, verb_version, verb_events, verb_call;
extern const struct verb verb_completion, verb_cron, verb_retry;
extern const struct verb verb_processors, verb_simulate, verb_hold, verb_release, verb_stats;
extern const struct verb verb_breakers;
extern const struct verb verb_workers;
extern const struct verb verb_queue, verb_edit, verb_move, verb_why, verb_plan;
extern const struct verb verb_checkpoint, verb_prune, verb_backup, verb_doctor;
extern const struct verb verb_suspend, verb_resume, verb_signal;

/* Waits for jobs and mirrors them: takes `ids`; `options` (may be NULL) are further parameters of
 * Wait, owned too. The exit code. */
int cli_wait(struct cli *cli, json_t *ids, json_t *options);
/* Lists jobs page by page: `parameters` of Jobs.List are changed, at most `limit` jobs (0: all) are
 * given to `take`, which answers whether to go on. 0 and in *ret_missing the exit code, after
 * reporting, when an id is not there; or another exit code after reporting. */
typedef bool (*cli_page_fn)(void *arg, const json_t *jobs);
int cli_list_pages(struct cli *cli, json_t *parameters, long limit, cli_page_fn take, void *arg,
                   int *ret_missing);
/* All of them at once, owned. 0, or the exit code after reporting. */
int cli_list(struct cli *cli, json_t *parameters, long limit, json_t **ret_jobs);
/* verb_list.c. "failed,cancelled" as the member "states". */
void cli_put_states(json_t *parameters, const char *list);
/* verb_submit.c. "Submitted job 42", or just the id in a pipe, from a reply of Submit. */
void cli_print_submitted(const struct cli *cli, const json_t *reply);
/* Shows a job's output until it ends. 0 or an exit code after reporting. */
int cli_follow(struct cli *cli, json_int_t id);

#endif
