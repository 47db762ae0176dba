/* io.batchd.Workers.List {} -> {workers: [worker], scaling}
 * io.batchd.Workers.Set {min, max}, Reset {} -> {scaling}
 * io.batchd.Workers.Drain {ids, all, dry_run} -> {workers: [worker], dry_run}
 * A change is in the store before the reply leaves. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/api/view.h"
#include "daemon/api/workers_view.h"
#include "daemon/engine/workers.h"
#include "daemon/resources/machine.h"
#include "daemon/resources/monitor.h"
#include "daemon/resources/process_memory.h"

#include <string.h>

/* ---- as JSON ---- */

static const char *const why_words[WORKER_WHY_COUNT] = {
    [WORKER_WHY_MINIMUM] = "minimum", [WORKER_WHY_JOBS] = "jobs"};
static const char *const drain_words[WORKER_DRAIN_COUNT] = {
    [WORKER_DRAIN_ORDER] = "order", [WORKER_DRAIN_LIMIT] = "limit"};

static json_t *number_or_null(bool known, uint64_t number)
{
    return known ? json_integer((json_int_t)number) : json_null();
}

/* What it runs is for those who may see that job. */
static void put_job(json_t *object, const struct api_call *call, uint64_t worker)
{
    struct worker_job job = {0};
    bool shown = engine_worker_job(call->api->engine, worker, &job) && access_job(call, job.uid);
    json_put(object, "job", number_or_null(shown, job.id));
    json_put(object, "index", number_or_null(shown && job.is_task, job.index));
    json_put(object, "attempt", number_or_null(shown, job.attempt));
    json_put(object, "started_at", view_time(shown ? job.started_at : 0));
}

/* Files of /proc that are looked at for one list: some 10 ms. What is not reached is not known. */
#define LOOKS 2000U

struct listing {
    const struct api_call *call;
    bool memory;
    uint32_t looks; /* that are left for it */
    json_t *workers;
};

/* Its own, and what its job's processes have of their own. */
static json_t *view_memory(struct listing *listing, uint32_t pid)
{
    const char *root = monitor_root(listing->call->api->options.monitor);
    uint64_t below = 0;
    if (pid == 0 || !process_memory_below(root, pid, &listing->looks, &below))
        return json_null();
    uint64_t own = machine_resident_bytes(pid);
    return number_or_null(own > 0, own + below);
}

/* The pool has the newest first. */
static void add_worker(void *arg, const struct pool_worker_view *worker)
{
    struct listing *listing = arg;
    const struct worker_facts *facts = &worker->facts;
    json_t *object = json_object();
    json_put_int(object, "id", (int64_t)worker->id);
    json_put_text(object, "state", worker->state);
    json_put_int(object, "load", worker->load);
    json_put_int(object, "done", (int64_t)worker->ended);
    json_put_int(object, "failed", (int64_t)worker->failed);
    put_job(object, listing->call, worker->id);
    json_put(object, "made_at", view_time(facts->made_at));
    json_put_text(object, "why", why_words[facts->why]);
    json_put(object, "waiting", number_or_null(facts->why == WORKER_WHY_JOBS, facts->waiting));
    json_put_text(object, "drain", drain_words[facts->drain]);
    json_put(object, "drain_at", view_time(facts->drain_at));
    json_put(object, "pid", number_or_null(worker->pid > 0, worker->pid));
    if (listing->memory)
        json_put(object, "memory_bytes", view_memory(listing, worker->pid));
    (void)json_array_insert_new(listing->workers, 0, object);
}

json_t *view_workers(const struct api_call *call, bool memory)
{
    struct listing listing = {
        .call = call, .memory = memory, .looks = LOOKS, .workers = json_array()};
    pool_each(engine_pool(call->api->engine), add_worker, &listing);
    return listing.workers;
}

json_t *view_scaling(const struct api *api)
{
    const struct scaling *scaling = engine_scaling(api->engine);
    const struct engine_options *options = engine_limits(api->engine);
    json_t *object = json_object();
    json_put_int(object, "wanted", engine_workers_wanted(api->engine));
    json_put_text(object, "reason", scaler_reason_word(scaling->decision.reason));
    json_put_int(object, "min", options->workers_min);
    json_put_int(object, "max", options->workers_max);
    json_put_int(object, "configured_min", scaling->min);
    json_put_int(object, "configured_max", scaling->max);
    json_put(object, "ordered", json_boolean(scaling->ordered));
    json_put_int(object, "hold_ms", scaling->scaler.hold_us / US_PER_MS);
    return object;
}

static void run_list(struct api_call *call)
{
    json_t *reply = json_object();
    json_put(reply, "workers", view_workers(call, true));
    json_put(reply, "scaling", view_scaling(call->api));
    reply_done(call, reply);
}

/* ---- changes ---- */

/* True after replying. */
static bool refused(struct api_call *call)
{
    if (access_all(call))
        return false;
    reply_error(call, "org.varlink.service.PermissionDenied", NULL,
                "only root and the owner of batchd may change workers", NULL);
    return true;
}

/* With a maximum alone the minimum is made to fit. */
static int read_limits(const struct api_call *call, int64_t *ret_min, int64_t *ret_max,
                       struct error *err)
{
    const struct engine_options *options = engine_limits(call->api->engine);
    *ret_min = -1;
    *ret_max = -1;
    if (json_get_int(call->params, "min", false, 0, SCALING_WORKERS_MAX, ret_min, err) < 0 ||
        json_get_int(call->params, "max", false, 1, SCALING_WORKERS_MAX, ret_max, err) < 0)
        return -1;
    if (*ret_min < 0 && *ret_max < 0)
        return error_set_field(err, "max", "either min or max must be given");
    if (*ret_max < 0)
        *ret_max = options->workers_max;
    if (*ret_min < 0)
        *ret_min = options->workers_min < *ret_max ? options->workers_min : *ret_max;
    if (*ret_min > *ret_max)
        return error_set_field(err, "min", "min %lld must be at most max, %lld",
                               (long long)*ret_min, (long long)*ret_max);
    return 0;
}

static void reply_scaling(struct api_call *call)
{
    json_t *reply = json_object();
    json_put(reply, "scaling", view_scaling(call->api));
    reply_done(call, reply);
}

static void run_set(struct api_call *call)
{
    int64_t min, max;
    struct error err;
    if (refused(call))
        return;
    if (read_limits(call, &min, &max, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    engine_set_workers(call->api->engine, (uint32_t)min, (uint32_t)max);
    reply_scaling(call);
}

static void run_reset(struct api_call *call)
{
    if (refused(call))
        return;
    engine_reset_workers(call->api->engine);
    reply_scaling(call);
}

/* ---- drain ---- */

/* Of those that can still be told to. */
static bool drained_now(const json_t *worker)
{
    const char *state = json_string_value(json_object_get(worker, "state"));
    return strcmp(state, "lost") != 0 && strcmp(state, "leaving") != 0;
}

/* Ids of all that live, for {all: true}. */
static json_t *ids_of_all(const struct api_call *call)
{
    json_t *ids = json_array();
    CLEANUP_JSON json_t *workers = view_workers(call, false);
    const json_t *worker;
    size_t i;
    json_array_foreach(workers, i, worker) {
        if (drained_now(worker))
            (void)json_array_append(ids, json_object_get(worker, "id"));
    }
    return ids;
}

/* New reference, or NULL with err. */
static json_t *read_ids(const struct api_call *call, struct error *err)
{
    bool all = false;
    json_t *ids = NULL;
    const json_t *id;
    size_t i;
    if (json_get_bool(call->params, "all", false, &all, err) < 0 ||
        json_get_array(call->params, "ids", false, &ids, err) < 0)
        return NULL;
    if (all == (ids != NULL)) {
        (void)error_set_field(err, "ids", "either ids or all must be given");
        return NULL;
    }
    json_array_foreach(ids, i, id) {
        if (!json_is_integer(id) || json_integer_value(id) < 1) {
            (void)error_set_field(err, "ids", "ids must be a list of numbers of workers");
            return NULL;
        }
    }
    return all ? ids_of_all(call) : json_incref(ids);
}

static json_t *find_worker(const json_t *workers, json_int_t id)
{
    json_t *worker;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)workers, i, worker) {
        if (json_integer_value(json_object_get(worker, "id")) == id && drained_now(worker))
            return worker;
    }
    return NULL;
}

/* True after replying: nothing is changed when one of them is not there. */
static bool refuse_unknown(struct api_call *call, const json_t *ids)
{
    CLEANUP_JSON json_t *workers = view_workers(call, false);
    const json_t *id;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)ids, i, id) {
        struct error err;
        if (find_worker(workers, json_integer_value(id)) != NULL)
            continue;
        (void)error_set_field(&err, "ids", "no worker %lld", json_integer_value(id));
        reply_unknown(call, "NoSuchWorker", &err, "batchctl workers");
        return true;
    }
    return false;
}

static void drain(struct api_call *call, const json_t *ids, bool dry_run)
{
    json_t *list = json_array();
    const json_t *id;
    struct error err;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)ids, i, id) {
        if (!dry_run)
            (void)engine_drain_worker(call->api->engine, (uint64_t)json_integer_value(id), &err);
    }
    CLEANUP_JSON json_t *workers = view_workers(call, false);
    json_array_foreach((json_t *)(uintptr_t)ids, i, id)
        (void)json_array_append(list, find_worker(workers, json_integer_value(id)));
    json_t *reply = json_object();
    json_put(reply, "workers", list);
    put_dry_run(reply, dry_run);
    reply_done(call, reply);
}

static void run_drain(struct api_call *call)
{
    struct error err;
    bool dry_run;
    if (refused(call) || get_dry_run(call, &dry_run) < 0)
        return;
    CLEANUP_JSON json_t *ids = read_ids(call, &err);
    if (ids == NULL)
        reply_failure(call, &err);
    else if (!refuse_unknown(call, ids))
        drain(call, ids, dry_run);
}

static const char *const no_fields[] = {NULL};
static const char *const limit_fields[] = {"min", "max", NULL};
static const char *const drain_fields[] = {"ids", "all", "dry_run", NULL};
const struct api_verb verb_workers_list = {
    .method = "io.batchd.Workers.List", .fields = no_fields, .run = run_list};
const struct api_verb verb_workers_set = {
    .method = "io.batchd.Workers.Set", .fields = limit_fields, .run = run_set};
const struct api_verb verb_workers_reset = {
    .method = "io.batchd.Workers.Reset", .fields = no_fields, .run = run_reset};
const struct api_verb verb_workers_drain = {
    .method = "io.batchd.Workers.Drain", .fields = drain_fields, .run = run_drain};
