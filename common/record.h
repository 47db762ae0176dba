/* Fixed binary records: what batchd, the spawner and the workers say to each other, and what a
 * worker writes into its log. No JSON on the privileged side.
 *
 * A record is a header of 16 bytes and a payload, all integers little-endian:
 *     u32 magic 'BATR' | u16 version | u16 type | u32 payload bytes | u32 CRC-32C
 * The CRC covers version, type, length and payload. A reader never looks at a payload whose header,
 * length or CRC is wrong. Payload fields are written and read in order by the functions below: a
 * string or byte block is u32 length + bytes. */
#ifndef BATCHD_COMMON_RECORD_H
#define BATCHD_COMMON_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_VERSION 1U
#define RECORD_HEADER_BYTES 16U
/* A job's argv and environment come from one request of at most 1 MiB (frame.h); the rest of the
 * job's description needs a few hundred bytes. */
#define RECORD_PAYLOAD_MAX (1U << 21)

/* A growing buffer that one or more records are written into. Zero-initialise; release with
 * record_writer_done. Allocation aborts on exhaustion, payloads are bounded by the caller. */
struct record_writer {
    uint8_t *data;
    size_t used, room;
    size_t start; /* offset of the record begun last */
};

void record_writer_done(struct record_writer *writer);
void record_writer_clear(struct record_writer *writer); /* keeps the memory */
void record_writer_reserve(struct record_writer *writer,
                           size_t bytes); /* they take no memory then */
void record_begin(struct record_writer *writer, uint16_t type);
void record_end(struct record_writer *writer); /* fills length and CRC */
void record_put_u8(struct record_writer *writer, uint8_t value);
void record_put_u32(struct record_writer *writer, uint32_t value);
void record_put_u64(struct record_writer *writer, uint64_t value);
void record_put_i64(struct record_writer *writer, int64_t value);
void record_put_bytes(struct record_writer *writer, const void *data, size_t bytes);
void record_put_string(struct record_writer *writer, const char *text); /* NULL as "" */

/* One checked record inside somebody's buffer; borrows. A get past the end or a bad length sets
 * `failed` and returns 0 / NULL, so that a whole payload is read and checked once at the end. */
struct record {
    uint16_t type;
    const uint8_t *payload;
    size_t bytes, at;
    bool failed;
};

enum record_status { RECORD_OK, RECORD_MORE, RECORD_BAD };

/* Looks for one record at the start of `data`. RECORD_OK: *ret is set and *ret_used says how many
 * bytes it took. RECORD_MORE: no whole record yet (for a log: a torn tail). RECORD_BAD: wrong
 * magic, version, length or CRC; the stream cannot be read on. */
enum record_status record_parse(const void *data, size_t bytes, struct record *ret,
                                size_t *ret_used);

uint8_t record_get_u8(struct record *record);
uint32_t record_get_u32(struct record *record);
uint64_t record_get_u64(struct record *record);
int64_t record_get_i64(struct record *record);
const void *record_get_bytes(struct record *record, size_t *ret_bytes); /* borrowed */
/* A string without NUL inside, at most `max` bytes; the caller frees. NULL when it is not that. */
char *record_get_string(struct record *record, size_t max);
/* True when nothing failed and the payload is used up. */
bool record_complete(const struct record *record);

#endif
