/* Jobs to replay: a file in the Standard Workload Format (Feitelson's Parallel Workloads Archive,
 * version 2.2), plain or gzip, or the daemon's own history. */
#ifndef BATCHD_CLIENT_TRACE_H
#define BATCHD_CLIENT_TRACE_H

#include "common/error.h"
#include "common/json.h"

#include "daemon/core/simulation.h"

/* Why a job is not replayed. */
enum trace_drop { TRACE_NO_PROCESSORS, TRACE_NEGATIVE_RUN, TRACE_NEVER_STARTED, TRACE_DROP_COUNT };

struct trace {
    struct simulated_job *jobs; /* owned; in the order of the file */
    size_t count, room;
    size_t dropped[TRACE_DROP_COUNT]; /* what describes no work that was done */
    uint32_t processors;              /* as the file's header says; 0: it does not */
};

void trace_done(struct trace *trace);

/* Reads a file. Dropped are jobs without a positive number of processors (allocated, else
 * requested) and those with a negative run time. At most `limit` jobs are kept (0: all). 0, or -1
 * with err: the line, the field and the rule. */
int trace_read(const char *path, uint64_t limit, struct trace *ret, struct error *err);

size_t trace_dropped(const struct trace *trace);
/* "1 without processors, 2 never started"; "" when none was dropped. The caller frees. */
char *trace_drops_text(const struct trace *trace);
/* {"never_started": 2, ...}, those that are not 0. New reference. */
json_t *trace_drops_json(const struct trace *trace);

/* Adds jobs in the JSON of the protocol that started and ended, in the order of their ids, until
 * the trace has so many (0: all). Whether it takes more. */
bool trace_take_history(const json_t *jobs, uint64_t limit, struct trace *trace);
/* Counts a job that ended, or an array's tasks, that the trace has not: they never started. */
void trace_count_unstarted(const json_t *job, struct trace *trace);

#endif
