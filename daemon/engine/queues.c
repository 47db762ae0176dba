#include "daemon/engine/queues.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/parse.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/store/queue_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- find ---- */

static struct named_queue *find(const struct engine *engine, const char *name)
{
    for (size_t i = 0; i < engine->queue_count; i++) {
        if (strcmp(engine->queues[i].name, name) == 0)
            return &engine->queues[i];
    }
    return NULL;
}

const struct named_queue *engine_queue_find(const struct engine *engine, const char *name)
{
    return find(engine, name);
}

const struct named_queue *engine_queue_number(const struct engine *engine, uint8_t number)
{
    size_t i = 0;
    while (engine->queues[i].number != number)
        i++;
    return &engine->queues[i];
}

void engine_queues_each(const struct engine *engine, named_queue_fn each, void *arg)
{
    for (size_t i = 0; i < engine->queue_count; i++)
        each(arg, &engine->queues[i]);
}

static struct named_queue *need_for(const struct engine *engine, const char *field,
                                    const char *name, struct error *err)
{
    struct named_queue *queue = find(engine, name);
    if (queue == NULL && error_set_field(err, field, "no queue \"%.80s\"", name) < 0 && err != NULL)
        err->code = ERROR_NOT_FOUND;
    return queue;
}

static struct named_queue *need(const struct engine *engine, const char *name, struct error *err)
{
    return need_for(engine, "queue", name, err);
}

/* ---- in memory ---- */

/* Kept sorted by name. NULL when the scheduler has no number left. */
static struct named_queue *insert(struct engine *engine, const char *name,
                                  const struct queue_settings *settings)
{
    size_t at = 0;
    int number =
        strcmp(name, QUEUE_DEFAULT) == 0 ? 0 : scheduler_add_queue(engine->scheduler, settings);
    if (number < 0)
        return NULL;
    engine_estimate_queue(engine, (uint8_t)number, name);
    engine->queues =
        xreallocarray(engine->queues, engine->queue_count + 1, sizeof(*engine->queues));
    while (at < engine->queue_count && strcmp(engine->queues[at].name, name) < 0)
        at++;
    struct named_queue *queue = &engine->queues[at];
    memmove(queue + 1, queue, (engine->queue_count - at) * sizeof(*queue));
    engine->queue_count++;
    *queue = (struct named_queue){
        .name = xstrdup(name), .number = (uint8_t)number, .settings = *settings};
    return queue;
}

static void apply(struct engine *engine, const struct named_queue *queue)
{
    struct error err;
    if (queue->settings.policy == QUEUE_FAIR && engine_load_usage(engine, &err) < 0)
        engine_break(engine, &err);
    scheduler_change_queue(engine->scheduler, queue->number, &queue->settings, clock_wall_us());
    scheduler_pause_queue(engine->scheduler, queue->number, queue->paused);
}

static int refuse_more(const char *name, struct error *err)
{
    return error_set_limit(err, SCHEDULER_QUEUES, SCHEDULER_QUEUES,
                           "queue \"%.80s\" would be one too many: %u may be", name,
                           SCHEDULER_QUEUES);
}

static void free_displaced(struct engine *engine)
{
    for (size_t i = 0; i < engine->displaced_count; i++)
        free(engine->displaced[i]);
    free(engine->displaced);
    engine->displaced = NULL;
    engine->displaced_count = 0;
}

void engine_queues_free(struct engine *engine)
{
    for (size_t i = 0; i < engine->queue_count; i++) {
        free(engine->queues[i].name);
        free(engine->queues[i].move_to);
    }
    free(engine->queues);
    free_displaced(engine);
}

/* ---- at the start ---- */

static struct named_queue *find_or_insert(struct engine *engine, const char *name)
{
    struct queue_settings settings;
    struct named_queue *queue = find(engine, name);
    if (queue != NULL)
        return queue;
    queue_settings_defaults(&settings);
    return insert(engine, name, &settings);
}

static bool is_turn(const char *key)
{
    return strcmp(key, QUEUE_MARK_OWED) == 0 || strcmp(key, QUEUE_MARK_SERVED) == 0;
}

/* Whose turn it was says nothing where the queue is gone. */
static int load_turn(struct engine *engine, const char *name, const char *key, const char *value,
                     struct error *err)
{
    struct named_queue *queue = find(engine, name);
    if (queue == NULL)
        return 0;
    if (strcmp(key, QUEUE_MARK_SERVED) == 0)
        return parse_u64(value, 0, UINT64_MAX, &queue->served, err);
    engine->owed = queue->number;
    scheduler_owe(engine->scheduler, queue->number);
    return 0;
}

static int load_row(void *arg, const char *name, const char *key, const char *value,
                    struct error *err)
{
    struct engine *engine = arg;
    if (is_turn(key))
        return load_turn(engine, name, key, value, err);
    struct named_queue *queue = find_or_insert(engine, name);
    const struct queue_key *setting = queue_key_find(key);
    if (queue == NULL)
        return refuse_more(name, err);
    if (setting != NULL)
        return queue_settings_set(&queue->settings, setting, value, err);
    queue->paused |= strcmp(key, QUEUE_MARK_PAUSED) == 0;
    queue->draining |= strcmp(key, QUEUE_MARK_DRAINING) == 0;
    if (strcmp(key, QUEUE_MARK_MOVE_TO) == 0) {
        queue->move_to = xstrdup(value);
        queue->draining = true;
        engine->leaving = true;
    }
    return 0;
}

int engine_queues_load(struct engine *engine, struct error *err)
{
    engine->owed = -1;
    (void)insert(engine, QUEUE_DEFAULT, &engine->options.scheduler.queue);
    engine->queues[0].configured = true;
    for (size_t i = 0; i < engine->options.queue_count; i++) {
        const struct queue_config *config = &engine->options.queues[i];
        struct named_queue *queue = find_or_insert(engine, config->name);
        if (queue == NULL)
            return refuse_more(config->name, err);
        queue->settings = config->settings;
        queue->configured = true;
    }
    if (queue_rows_each(engine->db, load_row, engine, err) < 0)
        return -1;
    for (size_t i = 0; i < engine->queue_count; i++)
        apply(engine, &engine->queues[i]);
    return 0;
}

/* A loop over rows must not write to the store: the names are kept until it is over. */
static void keep_displaced(struct engine *engine, const char *name)
{
    for (size_t i = 0; i < engine->displaced_count; i++) {
        if (strcmp(engine->displaced[i], name) == 0)
            return;
    }
    log_warning(
        "queue \"%s\" has jobs and is not configured any more, and there are %u others: its "
        "jobs go to the queue \"" QUEUE_DEFAULT "\"",
        name, SCHEDULER_QUEUES);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    engine->displaced =
        xreallocarray(engine->displaced, engine->displaced_count + 1, sizeof(char *));
    engine->displaced[engine->displaced_count++] = xstrdup(name);
}

void engine_restore_turns(struct engine *engine)
{
    for (size_t i = 0; i < engine->queue_count; i++)
        scheduler_set_served(engine->scheduler, engine->queues[i].number, engine->queues[i].served);
}

uint8_t engine_queue_of_row(struct engine *engine, const char *name)
{
    struct named_queue *queue = find(engine, name);
    if (queue != NULL)
        return queue->number;
    queue = find_or_insert(engine, name);
    if (queue == NULL) {
        keep_displaced(engine, name);
        return 0;
    }
    log_warning("queue \"%s\" has jobs and is not configured any more: it goes on with default "
                "settings",
                name);
    return queue->number;
}

int engine_queues_adopt(struct engine *engine, struct error *err)
{
    for (size_t i = 0; i < engine->displaced_count; i++) {
        if (queue_rows_move_jobs(engine->db, engine->displaced[i], QUEUE_DEFAULT, err) < 0)
            return -1;
    }
    free_displaced(engine);
    return 0;
}

/* ---- changes ---- */

static int put_row(struct engine *engine, const char *name, const char *key, const char *value,
                   struct error *err)
{
    int result = value == NULL ? queue_rows_delete(engine->db, name, key, err)
                               : queue_rows_put(engine->db, name, key, value, err);
    if (result < 0)
        engine_break(engine, err);
    return result;
}

static int change_queue(struct engine *engine, struct named_queue *queue,
                        const struct queue_change *change, struct error *err)
{
    for (size_t i = 0; queue_keys[i].name != NULL; i++) {
        char text[QUEUE_TEXT_MAX];
        if ((change->keys & (1U << i)) == 0)
            continue;
        queue_settings_text(&change->values, &queue_keys[i], text);
        if (queue_settings_set(&queue->settings, &queue_keys[i], text, err) < 0 ||
            put_row(engine, queue->name, queue_keys[i].name, text, err) < 0)
            return -1;
    }
    apply(engine, queue);
    return 0;
}

int engine_queue_add(struct engine *engine, const char *name, const struct queue_change *change,
                     struct error *err)
{
    if (queue_name_check(name, err) < 0)
        return -1;
    if (find(engine, name) != NULL)
        return error_set(err, ERROR_CONFLICT, "there is a queue \"%.80s\" already", name);
    struct named_queue *queue = find_or_insert(engine, name);
    if (queue == NULL)
        return refuse_more(name, err);
    return put_row(engine, name, QUEUE_MARK_ADDED, "1", err) < 0
               ? -1
               : change_queue(engine, queue, change, err);
}

int engine_queue_set(struct engine *engine, const char *name, const struct queue_change *change,
                     struct error *err)
{
    struct named_queue *queue = need(engine, name, err);
    return queue == NULL ? -1 : change_queue(engine, queue, change, err);
}

static int mark(struct engine *engine, const char *name, const char *key, bool on,
                struct named_queue **ret, struct error *err)
{
    *ret = need(engine, name, err);
    return *ret == NULL ? -1 : put_row(engine, name, key, on ? "1" : NULL, err);
}

int engine_queue_pause(struct engine *engine, const char *name, bool paused, struct error *err)
{
    struct named_queue *queue;
    if (mark(engine, name, QUEUE_MARK_PAUSED, paused, &queue, err) < 0)
        return -1;
    queue->paused = paused;
    apply(engine, queue);
    return 0;
}

int engine_queue_drain(struct engine *engine, const char *name, bool draining, struct error *err)
{
    struct named_queue *queue;
    if (mark(engine, name, QUEUE_MARK_DRAINING, draining, &queue, err) < 0)
        return -1;
    queue->draining = draining || queue->move_to != NULL;
    return 0;
}

static void store_served(struct engine *engine, struct named_queue *queue)
{
    char text[24]; /* 20 digits */
    struct error err;
    uint64_t served = scheduler_served(engine->scheduler, queue->number);
    if (served == queue->served || engine->broken)
        return;
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)served);
    queue->served = served;
    (void)put_row(engine, queue->name, QUEUE_MARK_SERVED, text, &err);
}

void engine_store_turns(struct engine *engine)
{
    int owed = scheduler_owed(engine->scheduler);
    struct error err;
    for (size_t i = 0; engine->queue_count > 1 && i < engine->queue_count; i++)
        store_served(engine, &engine->queues[i]);
    if (engine->broken || owed == engine->owed)
        return;
    if (engine->owed >= 0)
        (void)put_row(engine, engine_queue_number(engine, (uint8_t)engine->owed)->name,
                      QUEUE_MARK_OWED, NULL, &err);
    if (owed >= 0 && !engine->broken)
        (void)put_row(engine, engine_queue_number(engine, (uint8_t)owed)->name, QUEUE_MARK_OWED,
                      "1", &err);
    engine->owed = owed;
}

/* ---- remove ---- */

/* So many jobs go at once; more of them in the turns that follow, some 8 us each. */
#define MOVED_A_TURN 1000

static int check_removable(const struct engine *engine, const struct named_queue *queue,
                           const char *move_to, struct error *err)
{
    size_t jobs = jobset_in_queue(engine->jobs, queue->number);
    if (queue->number == 0)
        return error_set(err, ERROR_CONFLICT, "the queue \"default\" cannot be removed");
    if (queue->configured)
        return error_set(err, ERROR_CONFLICT,
                         "queue \"%.80s\" is in the configuration: remove it there and restart",
                         queue->name);
    if (queue->move_to != NULL)
        return error_set(err, ERROR_CONFLICT,
                         "queue \"%.80s\" is being removed: %zu jobs are still to go to \"%.80s\"",
                         queue->name, jobs, queue->move_to);
    if (move_to == NULL && jobs > 0)
        return error_set(err, ERROR_CONFLICT,
                         "queue \"%.80s\" has %zu unfinished jobs: wait for them, or move them",
                         queue->name, jobs);
    for (size_t i = 0; i < engine->queue_count; i++) {
        const char *other = engine->queues[i].move_to;
        if (other != NULL && strcmp(other, queue->name) == 0)
            return error_set(err, ERROR_CONFLICT,
                             "the jobs of queue \"%.80s\", which is being removed, are on the way "
                             "to queue \"%.80s\"",
                             engine->queues[i].name, queue->name);
    }
    return 0;
}

static void drop(struct engine *engine, struct named_queue *queue)
{
    struct error err;
    if (put_row(engine, queue->name, NULL, NULL, &err) < 0)
        return;
    scheduler_remove_queue(engine->scheduler, queue->number);
    engine->owed = engine->owed == queue->number ? -1 : engine->owed;
    engine_breaker_queue_gone(engine, queue->number);
    engine_drop_queue_estimate(engine, queue->number);
    engine_forget_counts(engine, queue->number);
    free(queue->name);
    free(queue->move_to);
    size_t at = (size_t)(queue - engine->queues);
    memmove(queue, queue + 1, (--engine->queue_count - at) * sizeof(*queue));
}

/* What its jobs hold counts in the other queue from now on. */
static void move_some(struct engine *engine, struct named_queue *queue)
{
    const struct named_queue *to = find(engine, queue->move_to);
    uint64_t moved[MOVED_A_TURN];
    struct error err;
    if (to == NULL) /* it left the configuration */
        to = engine_queue_number(engine, 0);
    struct jobset_move move = {.from = queue->number, .to = to->number, .at = engine->leaving_at};
    size_t count = jobset_move_some(engine->jobs, &move, clock_wall_us(), moved, MOVED_A_TURN);
    engine->leaving_at = move.at;
    scheduler_move_runs(engine->scheduler, queue->number, to->number);
    for (size_t i = 0; i < count && !engine->broken; i++) {
        if (queue_rows_move_job(engine->db, moved[i], to->name, &err) < 0)
            engine_break(engine, &err);
    }
    if (engine->broken || jobset_in_queue(engine->jobs, queue->number) > 0)
        return;
    engine->leaving_at = 0;
    drop(engine, queue);
}

void engine_move_leaving(struct engine *engine)
{
    size_t at = 0;
    if (!engine->leaving || engine->broken)
        return;
    while (at < engine->queue_count && engine->queues[at].move_to == NULL)
        at++;
    if (at < engine->queue_count)
        move_some(engine, &engine->queues[at]);
    else
        engine->leaving = false;
}

int engine_queue_remove(struct engine *engine, const char *name, const char *move_to,
                        struct error *err)
{
    struct named_queue *queue = need(engine, name, err);
    const struct named_queue *target = NULL;
    if (queue != NULL && move_to != NULL)
        target = need_for(engine, "move_to", move_to, err);
    if (queue == NULL || (move_to != NULL && target == NULL) ||
        check_removable(engine, queue, move_to, err) < 0)
        return -1;
    if (target == queue || (target != NULL && target->move_to != NULL))
        return error_set_field(err, "move_to", "move_to \"%.80s\" must be another queue%s", move_to,
                               target == queue ? "" : ", that stays");
    if (target != NULL && jobset_in_queue(engine->jobs, queue->number) > 0) {
        if (put_row(engine, name, QUEUE_MARK_MOVE_TO, move_to, err) < 0)
            return -1;
        queue->move_to = xstrdup(move_to);
        queue->draining = true;
        engine->leaving = true;
        engine->leaving_at = 0;
        move_some(engine, queue);
    } else {
        drop(engine, queue);
    }
    return engine_sound(engine, err);
}
