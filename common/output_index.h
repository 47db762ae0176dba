/* The index beside a job's two output files: one entry for each chunk, in the order of writing, so
 * that stdout and stderr can be shown as they came. 16 bytes, little-endian:
 *     i64 time, microseconds since the epoch | u32 bytes | u32 stream */
#ifndef BATCHD_COMMON_OUTPUT_INDEX_H
#define BATCHD_COMMON_OUTPUT_INDEX_H

#include <stdint.h>

#define OUTPUT_INDEX_ENTRY_BYTES 16U

enum output_index_stream {
    OUTPUT_INDEX_STDOUT,
    OUTPUT_INDEX_STDERR,
    OUTPUT_INDEX_STDOUT_NOTE, /* in the stdout file: batchd's words and what follows a cut */
    OUTPUT_INDEX_STDERR_NOTE,
};

struct output_index_entry {
    int64_t time_us;
    uint32_t bytes;
    uint32_t stream; /* enum output_index_stream */
};

/* As it is in the file, and back. */
void output_index_encode(const struct output_index_entry *entry,
                         unsigned char ret[OUTPUT_INDEX_ENTRY_BYTES]);
void output_index_decode(const unsigned char raw[OUTPUT_INDEX_ENTRY_BYTES],
                         struct output_index_entry *ret);

#endif
