#include "common/record.h"

#include "common/alloc.h"
#include "common/crc32c.h"

#include <stdlib.h>
#include <string.h>

#define RECORD_MAGIC 0x52544142U /* "BATR" */

static void store_le(uint8_t *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8U * i));
}

static uint64_t load_le(const uint8_t *from, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << (8U * i);
    return value;
}

void record_writer_done(struct record_writer *writer)
{
    free(writer->data);
    *writer = (struct record_writer){0};
}

void record_writer_clear(struct record_writer *writer)
{
    writer->used = 0;
    writer->start = 0;
}

static uint8_t *extend(struct record_writer *writer, size_t bytes)
{
    if (writer->room - writer->used < bytes) {
        size_t room = writer->room > 0 ? writer->room : 256;
        while (room - writer->used < bytes)
            room *= 2;
        writer->data = xreallocarray(writer->data, room, 1);
        writer->room = room;
    }
    uint8_t *at = writer->data + writer->used;
    writer->used += bytes;
    return at;
}

void record_writer_reserve(struct record_writer *writer, size_t bytes)
{
    size_t used = writer->used;
    (void)extend(writer, bytes);
    writer->used = used;
}

void record_begin(struct record_writer *writer, uint16_t type)
{
    writer->start = writer->used;
    uint8_t *header = extend(writer, RECORD_HEADER_BYTES);
    memset(header, 0, RECORD_HEADER_BYTES);
    store_le(header, RECORD_MAGIC, 4);
    store_le(header + 4, RECORD_VERSION, 2);
    store_le(header + 6, type, 2);
}

void record_end(struct record_writer *writer)
{
    uint8_t *header = writer->data + writer->start;
    size_t payload = writer->used - writer->start - RECORD_HEADER_BYTES;
    store_le(header + 8, payload, 4);
    uint32_t crc = crc32c(0, header + 4, 8);
    store_le(header + 12, crc32c(crc, header + RECORD_HEADER_BYTES, payload), 4);
}

void record_put_u8(struct record_writer *writer, uint8_t value)
{
    store_le(extend(writer, 1), value, 1);
}

void record_put_u32(struct record_writer *writer, uint32_t value)
{
    store_le(extend(writer, 4), value, 4);
}

void record_put_u64(struct record_writer *writer, uint64_t value)
{
    store_le(extend(writer, 8), value, 8);
}

void record_put_i64(struct record_writer *writer, int64_t value)
{
    record_put_u64(writer, (uint64_t)value);
}

void record_put_bytes(struct record_writer *writer, const void *data, size_t bytes)
{
    record_put_u32(writer, (uint32_t)bytes);
    if (bytes > 0)
        memcpy(extend(writer, bytes), data, bytes);
}

void record_put_string(struct record_writer *writer, const char *text)
{
    record_put_bytes(writer, text, text == NULL ? 0 : strlen(text));
}

enum record_status record_parse(const void *data, size_t bytes, struct record *ret,
                                size_t *ret_used)
{
    const uint8_t *at = data;
    if (bytes < RECORD_HEADER_BYTES)
        return RECORD_MORE;
    size_t payload = (size_t)load_le(at + 8, 4);
    if (load_le(at, 4) != RECORD_MAGIC || load_le(at + 4, 2) != RECORD_VERSION ||
        payload > RECORD_PAYLOAD_MAX)
        return RECORD_BAD;
    if (bytes - RECORD_HEADER_BYTES < payload)
        return RECORD_MORE;
    uint32_t crc = crc32c(0, at + 4, 8);
    if (crc32c(crc, at + RECORD_HEADER_BYTES, payload) != load_le(at + 12, 4))
        return RECORD_BAD;
    *ret = (struct record){.type = (uint16_t)load_le(at + 6, 2),
                           .payload = at + RECORD_HEADER_BYTES,
                           .bytes = payload};
    *ret_used = RECORD_HEADER_BYTES + payload;
    return RECORD_OK;
}

static uint64_t get_integer(struct record *record, size_t bytes)
{
    if (record->failed || record->bytes - record->at < bytes) {
        record->failed = true;
        return 0;
    }
    uint64_t value = load_le(record->payload + record->at, bytes);
    record->at += bytes;
    return value;
}

uint8_t record_get_u8(struct record *record)
{
    return (uint8_t)get_integer(record, 1);
}

uint32_t record_get_u32(struct record *record)
{
    return (uint32_t)get_integer(record, 4);
}

uint64_t record_get_u64(struct record *record)
{
    return get_integer(record, 8);
}

int64_t record_get_i64(struct record *record)
{
    return (int64_t)get_integer(record, 8);
}

const void *record_get_bytes(struct record *record, size_t *ret_bytes)
{
    size_t bytes = record_get_u32(record);
    if (record->failed || record->bytes - record->at < bytes) {
        record->failed = true;
        *ret_bytes = 0;
        return NULL;
    }
    const uint8_t *data = record->payload + record->at;
    record->at += bytes;
    *ret_bytes = bytes;
    return data;
}

char *record_get_string(struct record *record, size_t max)
{
    size_t bytes;
    const void *data = record_get_bytes(record, &bytes);
    if (data == NULL || bytes > max || memchr(data, '\0', bytes) != NULL) {
        record->failed = true;
        return NULL;
    }
    return xmemdup(data, bytes);
}

bool record_complete(const struct record *record)
{
    return !record->failed && record->at == record->bytes;
}
