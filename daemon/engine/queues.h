/* The queues by name: what the configuration says of each, what was changed at run time (which
 * goes before it and is kept in the store), and its number in the scheduler. The queue "default"
 * is always there and has the number 0. */
#ifndef BATCHD_DAEMON_ENGINE_QUEUES_H
#define BATCHD_DAEMON_ENGINE_QUEUES_H

#include "common/error.h"
#include "daemon/core/queue_settings.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;

struct named_queue {
    char *name;
    uint8_t number; /* in the scheduler */
    bool configured;
    bool paused;     /* starts nothing */
    bool draining;   /* takes no new job */
    char *move_to;   /* owned: it is being removed, and its jobs are on the way there; or NULL */
    uint64_t served; /* as it is stored (scheduler_served) */
    struct queue_settings settings;
};

/* Settings to change: of `values` those whose bit is set (bit i: queue_keys[i]). */
struct queue_change {
    struct queue_settings values;
    uint32_t keys;
};

/* NULL: there is none. Borrowed until a queue is added or removed. */
const struct named_queue *engine_queue_find(const struct engine *engine, const char *name);
const struct named_queue *engine_queue_number(const struct engine *engine, uint8_t number);
/* Calls `each` for all, in the order of their names. */
typedef void (*named_queue_fn)(void *arg, const struct named_queue *queue);
void engine_queues_each(const struct engine *engine, named_queue_fn each, void *arg);

/* Each is kept in the store with this turn's commit. ERROR_NOT_FOUND (field "queue"): no such
 * queue. ERROR_CONFLICT: add: it is there already; remove: it is "default", or configured, or has
 * unfinished jobs and `move_to` is NULL. ERROR_LIMIT: there are as many queues as there may be. */
int engine_queue_add(struct engine *engine, const char *name, const struct queue_change *change,
                     struct error *err);
int engine_queue_set(struct engine *engine, const char *name, const struct queue_change *change,
                     struct error *err);
int engine_queue_pause(struct engine *engine, const char *name, bool paused, struct error *err);
int engine_queue_drain(struct engine *engine, const char *name, bool draining, struct error *err);
/* Its unfinished jobs go to the queue `move_to`, running ones too. When they are many they go so
 * many a turn, over restarts too; until then it is there, and takes no new ones. */
int engine_queue_remove(struct engine *engine, const char *name, const char *move_to,
                        struct error *err);

#endif
