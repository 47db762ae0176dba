/* io.batchd.Queues.List {} -> {queues: [queue]}
 * io.batchd.Queues.Add, Set {name, policy, backfill, slots, per_user, weight, ageing_ms,
 *   max_delay_ms, priority, timeout_ms, max_attempts, backoff, jitter, retry_on} -> {queue}
 * io.batchd.Queues.Pause, Resume, Drain {name} -> {queue}
 * io.batchd.Queues.Remove {name, move_to} -> {queue}: while its jobs are on the way
 * Everybody may look; root and the daemon's owner change. A change is in the store before the
 * reply leaves, and goes before the configuration from then on. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "daemon/api/view.h"

#include <inttypes.h>
#include <string.h>

static json_t *view_queue(const struct api *api, const struct named_queue *queue)
{
    const struct jobset *jobs = engine_jobs(api->engine);
    const struct queue *inner = scheduler_queue_at(engine_scheduler(api->engine), queue->number);
    json_t *object = json_object();
    json_put_text(object, "name", queue->name);
    for (const struct queue_key *key = queue_keys; key->name != NULL; key++) {
        char name[64], text[QUEUE_TEXT_MAX];
        queue_settings_text(&queue->settings, key, text);
        (void)snprintf(name, sizeof(name), "%s%s", key->name,
                       key->kind == QUEUE_KEY_SPAN ? "_ms" : "");
        if (queue_key_is_text(key))
            json_put_text(object, name, text);
        else
            json_put_int(object, name, (int64_t)queue_settings_number(&queue->settings, key));
    }
    json_put(object, "paused", json_boolean(queue->paused));
    json_put(object, "draining", json_boolean(queue->draining));
    json_put(object, "configured", json_boolean(queue->configured));
    json_put_text(object, "moving_to", queue->move_to);
    json_put_int(object, "pending", (int64_t)jobset_waiting_in(jobs, queue->number));
    json_put_int(object, "running", queue_running(inner));
    return object;
}

struct queue_listing {
    const struct api *api;
    json_t *queues;
};

static void add_queue(void *arg, const struct named_queue *queue)
{
    const struct queue_listing *listing = arg;
    (void)json_array_append_new(listing->queues, view_queue(listing->api, queue));
}

json_t *view_queues(const struct api *api)
{
    struct queue_listing listing = {.api = api, .queues = json_array()};
    engine_queues_each(api->engine, add_queue, &listing);
    return listing.queues;
}

static void run_list(struct api_call *call)
{
    json_t *reply = json_object();
    json_put(reply, "queues", view_queues(call->api));
    reply_done(call, reply);
}

/* ---- changes ---- */

/* Here the queue is named by the member "name". */
static void refuse(struct api_call *call, const struct error *err)
{
    struct error mine = *err;
    if (strcmp(err->field, "queue") == 0)
        (void)snprintf(mine.field, sizeof(mine.field), "name");
    if (err->code == ERROR_NOT_FOUND)
        reply_unknown(call, "NoSuchQueue", &mine, "batchctl queue list");
    else
        reply_failure(call, &mine);
}

static int read_key(const json_t *params, const struct queue_key *key, const char *member,
                    struct queue_change *change, struct error *err)
{
    const json_t *value = json_object_get(params, member);
    if (queue_key_is_text(key) && json_is_string(value))
        return queue_settings_set(&change->values, key, json_string_value(value), err);
    if (queue_key_is_text(key) || !json_is_integer(value))
        return error_set_field(err, member, "%s must be %s", member,
                               queue_key_is_text(key) ? "a string" : "an integer");
    json_int_t number = json_integer_value(value);
    if (key->kind == QUEUE_KEY_SPAN &&
        (number < 0 || (uint64_t)number < key->min || (uint64_t)number > key->max))
        return error_set_field(err, member,
                               "%s %" JSON_INTEGER_FORMAT " must be from %" PRIu64 " to %" PRIu64,
                               member, number, key->min, key->max);
    return queue_settings_set_number(&change->values, key, number, err);
}

static int read_change(const json_t *params, struct queue_change *ret, struct error *err)
{
    for (size_t i = 0; queue_keys[i].name != NULL; i++) {
        const struct queue_key *key = &queue_keys[i];
        char member[64];
        (void)snprintf(member, sizeof(member), "%s%s", key->name,
                       key->kind == QUEUE_KEY_SPAN ? "_ms" : "");
        const json_t *value = json_object_get(params, member);
        if (value == NULL || json_is_null(value))
            continue;
        if (read_key(params, key, member, ret, err) < 0)
            return -1;
        ret->keys |= 1U << i;
    }
    return 0;
}

typedef int (*queue_change_fn)(const struct api_call *call, const char *name, struct error *err);

static int add(const struct api_call *call, const char *name, struct error *err)
{
    struct queue_change change = {.keys = 0};
    return read_change(call->params, &change, err) < 0
               ? -1
               : engine_queue_add(call->api->engine, name, &change, err);
}

static int set(const struct api_call *call, const char *name, struct error *err)
{
    struct queue_change change = {.keys = 0};
    return read_change(call->params, &change, err) < 0
               ? -1
               : engine_queue_set(call->api->engine, name, &change, err);
}

static int pause_queue(const struct api_call *call, const char *name, struct error *err)
{
    return engine_queue_pause(call->api->engine, name, true, err);
}

/* Undoes pause and drain. */
static int resume(const struct api_call *call, const char *name, struct error *err)
{
    return engine_queue_pause(call->api->engine, name, false, err) < 0
               ? -1
               : engine_queue_drain(call->api->engine, name, false, err);
}

static int drain(const struct api_call *call, const char *name, struct error *err)
{
    return engine_queue_drain(call->api->engine, name, true, err);
}

static int remove_queue(const struct api_call *call, const char *name, struct error *err)
{
    const char *move_to = NULL;
    return json_get_string(call->params, "move_to", false, &move_to, err) < 0
               ? -1
               : engine_queue_remove(call->api->engine, name, move_to, err);
}

/* True after replying: it has jobs, and nobody said where they are to go. */
static bool refuse_jobs(struct api_call *call, const char *name, const struct error *err)
{
    const struct engine *engine = call->api->engine;
    const struct named_queue *queue = name == NULL ? NULL : engine_queue_find(engine, name);
    if (err->code != ERROR_CONFLICT || queue == NULL || queue->number == 0 || queue->configured ||
        queue->move_to != NULL || jobset_in_queue(engine_jobs(engine), queue->number) == 0 ||
        json_object_get(call->params, "move_to") != NULL)
        return false;
    CLEANUP_FREE char *hint = xasprintf("batchctl queue remove %s --move-to OTHER", name);
    reply_error(call, "InvalidState", NULL, err->text, hint);
    return true;
}

static void change(struct api_call *call, queue_change_fn how)
{
    const char *name = NULL;
    struct error err;
    if (!access_all(call)) {
        reply_error(call, "org.varlink.service.PermissionDenied", NULL,
                    "only root and the owner of batchd may change queues", NULL);
        return;
    }
    if (json_get_string(call->params, "name", true, &name, &err) < 0 || how(call, name, &err) < 0) {
        if (how != remove_queue || !refuse_jobs(call, name, &err))
            refuse(call, &err);
        return;
    }
    json_t *reply = json_object();
    const struct named_queue *queue = engine_queue_find(call->api->engine, name);
    if (queue != NULL)
        json_put(reply, "queue", view_queue(call->api, queue));
    reply_done(call, reply);
}

static void run_add(struct api_call *call)
{
    change(call, add);
}

static void run_set(struct api_call *call)
{
    change(call, set);
}

static void run_pause(struct api_call *call)
{
    change(call, pause_queue);
}

static void run_resume(struct api_call *call)
{
    change(call, resume);
}

static void run_drain(struct api_call *call)
{
    change(call, drain);
}

static void run_remove(struct api_call *call)
{
    change(call, remove_queue);
}

static const char *const no_fields[] = {NULL};
static const char *const name_fields[] = {"name", NULL};
static const char *const remove_fields[] = {"name", "move_to", NULL};
static const char *const setting_fields[] = {
    "name",         "policy",    "backfill",     "slots",    "per_user",
    "weight",       "ageing_ms", "max_delay_ms", "priority", "timeout_ms",
    "max_attempts", "backoff",   "jitter",       "retry_on", NULL};
const struct api_verb verb_queues_list = {
    .method = "io.batchd.Queues.List", .fields = no_fields, .run = run_list};
const struct api_verb verb_queues_add = {
    .method = "io.batchd.Queues.Add", .fields = setting_fields, .run = run_add};
const struct api_verb verb_queues_set = {
    .method = "io.batchd.Queues.Set", .fields = setting_fields, .run = run_set};
const struct api_verb verb_queues_pause = {
    .method = "io.batchd.Queues.Pause", .fields = name_fields, .run = run_pause};
const struct api_verb verb_queues_resume = {
    .method = "io.batchd.Queues.Resume", .fields = name_fields, .run = run_resume};
const struct api_verb verb_queues_drain = {
    .method = "io.batchd.Queues.Drain", .fields = name_fields, .run = run_drain};
const struct api_verb verb_queues_remove = {
    .method = "io.batchd.Queues.Remove", .fields = remove_fields, .run = run_remove};
