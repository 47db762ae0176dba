/* What a job writes: its pipes are read here and written to two plain files, which are made at the
 * first byte, with an index that keeps the order of the two (common/output_index.h). The daemon is
 * not involved, so nothing is lost when it restarts, and no job ever blocks on it.
 *
 *   JOBS/ID/ATTEMPT.out .err .index, and for processors .events (the lines of descriptor 3)
 *
 * A stream longer than the cap keeps its first half in place and its last half in a ring file
 * (ATTEMPT.out.tail), which is appended behind a note at the end. Bytes that the disk refuses are
 * counted; the job goes on. */
#ifndef BATCHD_WORKER_OUTPUT_H
#define BATCHD_WORKER_OUTPUT_H

#include "common/worker_protocol.h"

#include <stdbool.h>

struct output;

/* `jobs_fd` is the folder of all jobs, `group` who may read the files ((gid_t)-1: nobody else). */
struct output *output_new(int jobs_fd, gid_t group);
void output_free(struct output *output);

void output_begin(struct output *output, const struct attempt_id *id, uint64_t cap_bytes);
/* which: 1 stdout, 2 stderr. */
void output_add(struct output *output, int which, const void *data, size_t bytes);
/* Lines of descriptor 3; at most EVENTS_BYTES_MAX are kept, and the last line in any case. */
void output_add_events(struct output *output, const void *data, size_t bytes);
/* Puts the tails in place, closes the files and fills the byte counts. */
void output_end(struct output *output, struct job_exit *end);
/* Whether some of it was lost because the disk, or its owner's share of it, was full. */
bool output_disk_full(const struct output *output);

#endif
