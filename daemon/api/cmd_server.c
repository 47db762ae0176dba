/* io.batchd.Server.Ping {} -> {time_us}
 * io.batchd.Server.GetInfo {} -> {version, pid, uid, features, limits, started_at, state_dir,
 * socket} io.batchd.Server.Status {} -> {version, pid, started_at, counts, queues, workers,
 * scaling, resources, machine, breakers, running, failures, workers_health} */
#include "common/clock.h"
#include "common/frame.h"
#include "daemon/api/breakers_view.h"
#include "daemon/api/gpu_view.h"
#include "daemon/api/machine_view.h"
#include "daemon/api/view.h"
#include "daemon/api/workers_view.h"
#include "daemon/engine/gate.h"

#include <unistd.h>

#define STATUS_JOBS 20U
#define STATUS_BREAKERS 20U

static void run_ping(struct api_call *call)
{
    json_t *reply = json_object();
    json_put_int(reply, "time_us", clock_wall_us());
    reply_done(call, reply);
}

static json_t *view_limits(const struct api_call *call)
{
    const struct engine_options *options = engine_limits(call->api->engine);
    json_t *limits = json_object();
    json_put_int(limits, "frame_bytes", FRAME_BYTES_MAX);
    json_put_int(limits, "control_frame_bytes", FRAME_BYTES_MAX_CONTROL);
    json_put_int(limits, "depth", FRAME_DEPTH_MAX);
    json_put_int(limits, "values", FRAME_NODES_MAX);
    json_put_int(limits, "queue_per_user", (int64_t)options->queue_limit_per_user);
    json_put_int(limits, "workers", options->workers_max);
    json_put_int(limits, "output_bytes", (int64_t)options->output_max_bytes);
    return limits;
}

static void run_info(struct api_call *call)
{
    json_t *reply = json_object();
    json_t *features = json_array();
    (void)json_array_append_new(features, json_string("processors"));
    (void)json_array_append_new(features, json_string("events"));
    json_put_text(reply, "version", BATCHD_VERSION);
    json_put_int(reply, "pid", getpid());
    json_put_int(reply, "uid", call->api->options.owner_uid);
    json_put(reply, "features", features);
    json_put(reply, "limits", view_limits(call));
    json_put_int(reply, "started_at", call->api->started_at);
    json_put_text(reply, "state_dir", call->api->options.state_dir);
    json_put_text(reply, "socket", call->api->options.socket_path);
    reply_done(call, reply);
}

struct some_jobs {
    const struct api *api;
    json_t *jobs;
};

static int add_job(void *arg, const struct job_row *row)
{
    struct some_jobs *some = arg;
    (void)json_array_append_new(some->jobs, view_job(some->api, row));
    return json_array_size(some->jobs) >= STATUS_JOBS;
}

/* Those of these states. */
static json_t *some_jobs(const struct api_call *call, enum job_state first, enum job_state last)
{
    struct job_filter filter = {.states_set = true,
                                .newest_first = true,
                                .uid_set = !access_all(call),
                                .uid = call->uid,
                                .ended_after = clock_wall_us() - INT64_C(86400) * US_PER_SECOND};
    struct some_jobs some = {.api = call->api, .jobs = json_array()};
    struct error err;
    for (unsigned state = first; state <= last; state++)
        filter.states[state] = true;
    (void)job_rows_list(engine_db(call->api->engine), &filter, add_job, &some, &err);
    return some.jobs;
}

static json_t *view_counts(const struct api_call *call)
{
    uint64_t ended[JOB_STATE_COUNT] = {0};
    struct error err;
    json_t *counts = json_object();
    (void)job_rows_count(engine_db(call->api->engine), ended, &err);
    for (unsigned i = 0; i < JOB_STATE_COUNT; i++) {
        enum job_state state = (enum job_state)i;
        size_t live = jobset_count(engine_jobs(call->api->engine), state);
        json_put_int(counts, job_state_word(state),
                     (int64_t)(job_state_terminal(state) ? ended[i] : live));
    }
    return counts;
}

static void put_counters(json_t *object, const struct resource_names *names,
                         const struct resources *total, const struct resources *unused)
{
    json_t *counters = json_object();
    for (unsigned i = 0; i < names->count; i++) {
        json_t *counter = json_object();
        json_put_int(counter, "total", (int64_t)total->amount[RESOURCE_COUNTER + i]);
        json_put_int(counter, "free", (int64_t)unused->amount[RESOURCE_COUNTER + i]);
        json_put(counters, names->counters[i], counter);
    }
    json_put(object, "counters", counters);
}

/* Of a machine that was given fewer jobs may have more than there are. */
static int64_t gpus_free(const struct scheduler *scheduler)
{
    const uint64_t by_number = scheduler_free_resources(scheduler)->amount[RESOURCE_GPUS];
    const uint64_t one_by_one = gpu_pool_free(scheduler_gpus(scheduler));
    return (int64_t)(by_number < one_by_one ? by_number : one_by_one);
}

/* What there is, and what is not given to a job. disk_free_bytes is what the file system has. */
static void put_resources(json_t *object, const struct engine *engine)
{
    const struct scheduler *scheduler = engine_scheduler(engine);
    const struct resources *total = scheduler_total(scheduler);
    const struct resources *unused = scheduler_free_resources(scheduler);
    json_put_int(object, "cpus", (int64_t)total->amount[RESOURCE_CPUS]);
    json_put_int(object, "cpus_free", (int64_t)unused->amount[RESOURCE_CPUS]);
    json_put_int(object, "memory_bytes", (int64_t)total->amount[RESOURCE_MEMORY]);
    json_put_int(object, "memory_free_bytes", (int64_t)unused->amount[RESOURCE_MEMORY]);
    json_put_int(object, "memory_elsewhere_bytes", (int64_t)scheduler_elsewhere(scheduler));
    json_put_int(object, "gpus", scheduler_gpus(scheduler)->count);
    json_put_int(object, "gpus_free", gpus_free(scheduler));
    json_put_int(object, "disk_bytes", (int64_t)total->amount[RESOURCE_DISK]);
    json_put_int(object, "disk_unpromised_bytes", (int64_t)unused->amount[RESOURCE_DISK]);
    put_counters(object, &engine_limits(engine)->names, total, unused);
}

static json_t *view_health(const struct api_call *call)
{
    struct pool_health health;
    json_t *object = json_object();
    pool_health(engine_pool(call->api->engine), &health);
    json_put_int(object, "deaths", (int64_t)health.deaths);
    json_put(object, "last_death_at", view_time(health.last_death_at));
    json_put_text(object, "last_death", health.last_death);
    json_put(object, "next_at", view_time(health.next_at));
    json_put_text(object, "spawner", health.spawner);
    return object;
}

static void run_status(struct api_call *call)
{
    json_t *reply = json_object();
    json_t *resources = json_object();
    put_resources(resources, call->api->engine);
    json_put_int(resources, "disk_free_bytes", (int64_t)engine_disk_free_bytes(call->api->engine));
    json_put(resources, "disk_low", json_boolean(engine_disk_low(call->api->engine)));
    json_put_int(resources, "workers_max", engine_limits(call->api->engine)->workers_max);
    json_put_text(reply, "version", BATCHD_VERSION);
    json_put_int(reply, "pid", getpid());
    json_put_int(reply, "started_at", call->api->started_at);
    json_put(reply, "counts", view_counts(call));
    json_put(reply, "queues", view_queues(call->api));
    json_put(reply, "workers", view_workers(call, false));
    json_put(reply, "scaling", view_scaling(call->api));
    json_put(reply, "workers_health", view_health(call));
    json_put(reply, "resources", resources);
    json_t *machine = view_machine(call->api->options.monitor, engine_admission(call->api->engine));
    view_gpus(call, machine);
    json_put(machine, "disks", view_volumes(call->api->engine));
    json_put(reply, "machine", machine);
    json_put(reply, "breakers", view_breakers_at_work(call, STATUS_BREAKERS));
    json_put(reply, "running", some_jobs(call, JOB_STATE_STARTING, JOB_STATE_SUSPENDED));
    json_put(reply, "failures", some_jobs(call, JOB_STATE_FAILED, JOB_STATE_FAILED));
    reply_done(call, reply);
}

static const char *const no_fields[] = {NULL};
const struct api_verb verb_ping = {
    .method = "io.batchd.Server.Ping", .fields = no_fields, .run = run_ping};
const struct api_verb verb_info = {
    .method = "io.batchd.Server.GetInfo", .fields = no_fields, .run = run_info};
const struct api_verb verb_status = {
    .method = "io.batchd.Server.Status", .fields = no_fields, .run = run_status};
