/* What tables say about a job, in words. */
#ifndef BATCHD_CLIENT_TABLE_H
#define BATCHD_CLIENT_TABLE_H

#include "client/cli.h"

/* One cell's text, tame (text.h), owned by the caller: what a column of the table says about a job.
 */
char *table_result(const json_t *job);
char *table_command(const json_t *job);
/* Why it does not run: "Held,BeginTime"; "" when it does. */
char *table_reasons(const json_t *job);
/* How long it ran, or has waited so far, in microseconds. */
int64_t table_span(const json_t *job);
/* "3m12s" the job waited or ran, by its times. */
char *table_time(const json_t *job);

/* How a job or an attempt ended, in words: "exit 3", "killed by signal KILL", "spawn: cannot run
 * ..."; "" when it did not. The caller frees. */
char *table_outcome(const json_t *job);

#endif
