#include "daemon/engine/values.h"

#include "common/alloc.h"
#include "daemon/engine/internal.h"
#include "daemon/resources/disk.h"

#include <inttypes.h>
#include <stdlib.h>

/* A chunk and its head fit a page of the store (4 KiB), so that a task's value is one page. */
#define CHUNK_BYTES 3900U
/* Uploads of one user at a time: each may be as large as values_max. */
#define UPLOADS_MAX 8U

struct upload {
    struct upload *next;
    const void *owner;
    uint32_t uid;
    struct value_set set;
};

static struct upload **find(struct engine *engine, uint64_t set)
{
    struct upload **link = &engine->uploads;
    while (*link != NULL && (*link)->set.id != set)
        link = &(*link)->next;
    return link;
}

const struct value_set *engine_values_find(const struct engine *engine, const void *owner,
                                           uint64_t set)
{
    const struct upload *upload = engine->uploads;
    while (upload != NULL && (upload->set.id != set || upload->owner != owner))
        upload = upload->next;
    return upload == NULL ? NULL : &upload->set;
}

static int check_size(const struct engine *engine, const struct value_set *before,
                      const struct values_part *part, uint64_t *ret_bytes, struct error *err)
{
    const struct engine_options *options = &engine->options;
    uint64_t bytes = 0;
    for (size_t i = 0; i < part->count; i++)
        bytes += part->values[i].bytes + sizeof(uint32_t);
    *ret_bytes = bytes;
    if (before->count + part->count > options->array_max)
        return error_set_field(err, "values",
                               "values has over %" PRIu64
                               " elements, the limit of an array's tasks "
                               "(daemon.array_max in the configuration raises it)",
                               options->array_max);
    if (before->bytes + bytes > options->values_max_bytes)
        return error_set_field(err, "values",
                               "values has over %" PRIu64 " bytes, the limit "
                               "(daemon.array_values_max in the configuration raises it)",
                               options->values_max_bytes);
    return 0;
}

static int check_user(const struct engine *engine, const struct values_part *part,
                      struct error *err)
{
    size_t count = 0;
    for (const struct upload *upload = engine->uploads; upload != NULL; upload = upload->next)
        count += upload->uid == part->uid;
    return count < UPLOADS_MAX ? 0
                               : error_set_limit(err, count, UPLOADS_MAX,
                                                 "you have %zu uploads of values; the limit is %u",
                                                 count, UPLOADS_MAX);
}

/* Into rows of CHUNK_BYTES; a larger value has a row for itself. */
static int write_values(struct engine *engine, struct value_set *set,
                        const struct values_part *part, struct error *err)
{
    struct value_pack pack = {.data = NULL};
    int result = 0;
    for (size_t i = 0; i < part->count && result == 0; i++) {
        const struct value *value = &part->values[i];
        if (pack.count > 0 && pack.bytes + value->bytes > CHUNK_BYTES) {
            result = value_rows_append(engine->db, set, &pack, err);
            pack.bytes = 0;
            pack.count = 0;
        }
        value_pack_add(&pack, value->data, value->bytes);
    }
    if (result == 0 && pack.count > 0)
        result = value_rows_append(engine->db, set, &pack, err);
    value_pack_done(&pack);
    return result < 0 ? -1 : value_rows_update(engine->db, set, err);
}

static struct upload *begin(struct engine *engine, const struct values_part *part,
                            struct error *err)
{
    struct value_set set;
    if (value_rows_begin(engine->db, &set, err) < 0) {
        engine_break(engine, err);
        return NULL;
    }
    struct upload *upload = xcalloc(1, sizeof(*upload));
    *upload = (struct upload){
        .next = engine->uploads, .owner = part->owner, .uid = part->uid, .set = set};
    engine->uploads = upload;
    return upload;
}

int engine_values_add(struct engine *engine, const struct values_part *part, struct value_set *ret,
                      struct error *err)
{
    const struct value_set none = {0};
    const struct value_set *before =
        part->set == 0 ? &none : engine_values_find(engine, part->owner, part->set);
    uint64_t bytes;
    if (before == NULL)
        return error_set_field(err, "values_id", "values_id %" PRIu64 " is none of this connection",
                               part->set);
    if (check_size(engine, before, part, &bytes, err) < 0 ||
        (part->set == 0 && check_user(engine, part, err) < 0) ||
        disk_accept(engine->disk, bytes, err) < 0)
        return -1;
    struct upload *upload = part->set == 0 ? begin(engine, part, err) : *find(engine, part->set);
    if (upload == NULL)
        return -1;
    if (write_values(engine, &upload->set, part, err) < 0) {
        engine_break(engine, err);
        return -1;
    }
    *ret = upload->set;
    return 0;
}

static void unlink_upload(struct upload **link)
{
    struct upload *upload = *link;
    *link = upload->next;
    free(upload);
}

static void drop(struct engine *engine, struct upload **link)
{
    struct error err;
    if (!engine->broken && value_rows_drop(engine->db, (*link)->set.id, &err) < 0)
        engine_break(engine, &err);
    unlink_upload(link);
}

void engine_values_drop(struct engine *engine, uint64_t set)
{
    struct upload **link = find(engine, set);
    if (*link != NULL)
        drop(engine, link);
}

void engine_values_gone(struct engine *engine, const void *owner)
{
    struct upload **link = &engine->uploads;
    while (*link != NULL) {
        if ((*link)->owner == owner)
            drop(engine, link);
        else
            link = &(*link)->next;
    }
}

void engine_values_keep(struct engine *engine, uint64_t set)
{
    struct upload **link = find(engine, set);
    if (*link != NULL)
        unlink_upload(link);
}

void engine_values_free(struct engine *engine)
{
    while (engine->uploads != NULL)
        unlink_upload(&engine->uploads);
}
