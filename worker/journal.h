/* The worker's log: append-only records GO and EXIT (common/worker_protocol.h), which alone decide
 * what happened to an attempt when the worker is dead. Each record is one write. Not synced per
 * job: it has to survive processes; after a power loss an attempt without EXIT counts as lost.
 *
 * Room for a GO and its EXIT is allocated before the GO, so that a disk that fills up while the job
 * runs cannot take the result. When everything in it is acknowledged and it is longer than 1 MiB it
 * is cut to nothing: its facts are in the store by then, and nobody can be between the two. */
#ifndef BATCHD_WORKER_JOURNAL_H
#define BATCHD_WORKER_JOURNAL_H

#include "common/error.h"
#include "common/worker_protocol.h"

struct journal;

struct journal *journal_new(int fd); /* takes over the descriptor */
void journal_free(struct journal *journal);
/* Makes sure that a GO and an EXIT fit. 0 or -1: the job must not start. */
int journal_reserve(struct journal *journal, struct error *err);
int journal_go(struct journal *journal, const struct job_started *started, struct error *err);
int journal_exit(struct journal *journal, const struct job_exit *end, struct error *err);
/* True when it is long enough to be worth a trim. */
bool journal_long(const struct journal *journal);
/* Cuts it to nothing. Call when no job runs and none is unacknowledged. */
void journal_trim(struct journal *journal);

#endif
