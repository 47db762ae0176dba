#include "common/output_index.h"

#include <endian.h>
#include <string.h>

void output_index_encode(const struct output_index_entry *entry,
                         unsigned char ret[OUTPUT_INDEX_ENTRY_BYTES])
{
    uint64_t time_us = htole64((uint64_t)entry->time_us);
    uint32_t bytes = htole32(entry->bytes);
    uint32_t stream = htole32(entry->stream);
    memcpy(ret, &time_us, 8);
    memcpy(ret + 8, &bytes, 4);
    memcpy(ret + 12, &stream, 4);
}

void output_index_decode(const unsigned char raw[OUTPUT_INDEX_ENTRY_BYTES],
                         struct output_index_entry *ret)
{
    uint64_t time_us;
    uint32_t bytes;
    uint32_t stream;
    memcpy(&time_us, raw, 8);
    memcpy(&bytes, raw + 8, 4);
    memcpy(&stream, raw + 12, 4);
    *ret = (struct output_index_entry){
        .time_us = (int64_t)le64toh(time_us), .bytes = le32toh(bytes), .stream = le32toh(stream)};
}
