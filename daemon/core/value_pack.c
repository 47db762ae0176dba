#include "daemon/core/value_pack.h"

#include "common/alloc.h"

#include <stdlib.h>
#include <string.h>

#define HEAD ((size_t)4)

void value_pack_done(struct value_pack *pack)
{
    free(pack->data);
    *pack = (struct value_pack){.data = NULL};
}

void value_pack_add(struct value_pack *pack, const char *value, size_t bytes)
{
    if (pack->room - pack->bytes < HEAD + bytes) {
        pack->room = 2 * pack->room + HEAD + bytes;
        pack->data = xreallocarray(pack->data, pack->room, 1);
    }
    for (unsigned i = 0; i < HEAD; i++)
        pack->data[pack->bytes++] = (char)(uint8_t)(bytes >> (8 * i));
    memcpy(pack->data + pack->bytes, value, bytes);
    pack->bytes += bytes;
    pack->count++;
}

static size_t length_at(const char *data)
{
    size_t length = 0;
    for (unsigned i = 0; i < HEAD; i++)
        length |= (size_t)(uint8_t)data[i] << (8 * i);
    return length;
}

const char *value_pack_find(const char *data, size_t bytes, uint64_t position, size_t *ret_bytes)
{
    while (bytes >= HEAD) {
        size_t length = length_at(data);
        if (length > bytes - HEAD)
            break;
        if (position == 0) {
            *ret_bytes = length;
            return data + HEAD;
        }
        position--;
        data += HEAD + length;
        bytes -= HEAD + length;
    }
    return NULL;
}
