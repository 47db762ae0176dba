/* Reads what a job wrote, in the order it wrote it: the worker's two plain files and their index
 * (common/output_index.h). Files that are not there yet are tried again at each call, so the same
 * reader serves a finished job and a running one. */
#ifndef BATCHD_DAEMON_API_OUTPUT_READER_H
#define BATCHD_DAEMON_API_OUTPUT_READER_H

#include "common/error.h"
#include "common/worker_protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One reply's worth: with base64 and JSON around it stays under 64 KiB. */
#define OUTPUT_CHUNK_BYTES 32768U

enum output_stream { OUTPUT_STDOUT, OUTPUT_STDERR, OUTPUT_NOTE };

struct output_chunk {
    enum output_stream stream; /* OUTPUT_NOTE: batchd's own words about what was left out */
    bool of_stderr;            /* which file a note stands in */
    int64_t at;                /* microseconds since the epoch */
    size_t bytes;
    char data[OUTPUT_CHUNK_BYTES];
};

struct output_reader;

struct output_reader *output_reader_new(const char *state_dir, const struct attempt_id *id);
void output_reader_free(struct output_reader *reader);
/* 1: a chunk; 0: nothing more now; -1: error. */
int output_reader_next(struct output_reader *reader, struct output_chunk *ret, struct error *err);

#endif
