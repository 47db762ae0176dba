/* What happens to jobs is counted: minute by minute, of each user, queue and type, into the
 * transaction of the change itself (core/rollup.h), so that no crash counts twice or forgets; and
 * since the start, by queue, for who looks from outside (core/meters.h). */
#ifndef BATCHD_DAEMON_ENGINE_STATISTICS_H
#define BATCHD_DAEMON_ENGINE_STATISTICS_H

#include "daemon/core/job.h"
#include "daemon/engine/machine_history.h"
#include "daemon/engine/oldest.h"

#include <stdbool.h>
#include <stdint.h>

struct active;
struct engine;
struct rollup_entry;

struct statistics {
    struct rollup_entry *entries; /* of this minute, and of this turn; owned */
    int64_t pruned_at;            /* the minute in which old ones were looked for; 0: never */
    bool prune_more;
    struct oldest oldest;
    struct machine_history machine;
};

/* A job was submitted, and added to the jobset. */
void engine_count_submit(struct engine *engine, const struct job_facts *facts);
/* The attempt has started, at status.started_at. */
void engine_count_start(struct engine *engine, const struct active *entry);
/* It has ended, and another follows. */
void engine_count_retry(struct engine *engine, const struct active *entry);
/* The job or task has ended: status is as it is stored. That a task was cancelled is left to
 * engine_count_cancels. */
void engine_count_end(struct engine *engine, const struct active *entry);
/* So many jobs, or tasks of the array `job`, were cancelled; type: NULL for a command. */
void engine_count_cancels(struct engine *engine, const struct job *job, const char *type,
                          uint64_t count, int64_t at);

/* The queue of this number is gone; another one may get it. */
void engine_forget_counts(struct engine *engine, uint8_t queue);

/* Puts what was counted into the turn's transaction, and removes what is too old. */
void engine_store_statistics(struct engine *engine);
void statistics_free(struct statistics *statistics);

#endif
