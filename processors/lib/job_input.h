/* The lines of a processor that serves: bytes of stdin in, one job a line out. */
#ifndef BATCHD_PROCESSORS_LIB_JOB_INPUT_H
#define BATCHD_PROCESSORS_LIB_JOB_INPUT_H

#include "processors/lib/request.h"

#include <stdbool.h>
#include <stddef.h>

#define JOB_INPUT_BYTES_MAX REQUEST_BYTES_MAX /* of one line */

enum job_input_state { JOB_INPUT_OPEN, JOB_INPUT_END, JOB_INPUT_LONG, JOB_INPUT_FAILED };

struct job_input {
    enum job_input_state state; /* zeroed is a beginning */
    char *data;                 /* owned; JOB_INPUT_BYTES_MAX + 1 bytes from the first read on */
    size_t used, taken;         /* bytes that are there; of these, by the line taken last */
};

void job_input_done(struct job_input *input);

/* Takes what there is to read; waits when there is nothing. */
void job_input_read(struct job_input *input, int fd);

/* The next line, or what stands before the end of the input; borrowed until the next call. */
bool job_input_take(struct job_input *input, const char **ret, size_t *ret_bytes);

/* Whether more may be read. */
bool job_input_may_come(const struct job_input *input);

#endif
