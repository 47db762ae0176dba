/* The values of arrays on their way in: sets that no job has yet. Each is of one connection and
 * goes with it (its owner here), so that an upload that is broken off leaves nothing; one that a
 * killed daemon leaves goes at the next start. They are in the store from the first part on: memory
 * does not grow with them. */
#ifndef BATCHD_DAEMON_ENGINE_VALUES_H
#define BATCHD_DAEMON_ENGINE_VALUES_H

#include "daemon/core/job.h"
#include "daemon/store/value_rows.h"

struct engine;

struct value {
    const char *data;
    size_t bytes;
};

/* One part of an upload. */
struct values_part {
    const void *owner;
    uint32_t uid;
    uint64_t set; /* 0: a new one */
    const struct value *values;
    size_t count;
};

/* Appends them. *ret is the set as it is then. ERROR_INVALID: the owner has no such set, or it
 * becomes larger than an array may be (field "values_id" or "values"). ERROR_LIMIT: the user has
 * too many. ERROR_BUSY: the disk is full. Nothing has changed then. */
int engine_values_add(struct engine *engine, const struct values_part *part, struct value_set *ret,
                      struct error *err);
/* The owner's set, or NULL. */
const struct value_set *engine_values_find(const struct engine *engine, const void *owner,
                                           uint64_t set);
/* Removes a set that no job got. No-op for others. */
void engine_values_drop(struct engine *engine, uint64_t set);
/* The connection is gone. */
void engine_values_gone(struct engine *engine, const void *owner);

/* A job has it now (submit.c). No-op for a set of another job. */
void engine_values_keep(struct engine *engine, uint64_t set);
void engine_values_free(struct engine *engine);

#endif
