#include "daemon/api/api.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/frame.h"
#include "daemon/api/backups.h"
#include "daemon/api/prediction.h"
#include "daemon/api/schedule_job.h"
#include "daemon/api/slices.h"
#include "daemon/api/users.h"
#include "daemon/api/verb.h"
#include "daemon/core/meters.h"
#include "daemon/engine/schedules.h"
#include "daemon/engine/values.h"
#include "daemon/exec/snapshot.h"

#include <assert.h>
#include <string.h>

static const struct api_verb *const verbs[] = {
    &verb_submit,
    &verb_submit_many,
    &verb_list,
    &verb_show,
    &verb_why,
    &verb_plan,
    &verb_cancel,
    &verb_retry,
    &verb_add_values,
    &verb_prune,
    &verb_hold,
    &verb_release,
    &verb_suspend,
    &verb_resume,
    &verb_signal,
    &verb_edit,
    &verb_checkpoint,
    &verb_checkpointed,
    &verb_wait,
    &verb_logs_read,
    &verb_logs_follow,
    &verb_events_subscribe,
    &verb_ping,
    &verb_info,
    &verb_status,
    &verb_stats,
    &verb_backup,
    &verb_doctor,
    &verb_varlink_info,
    &verb_varlink_description,
    &verb_queues_list,
    &verb_queues_add,
    &verb_queues_set,
    &verb_queues_pause,
    &verb_queues_resume,
    &verb_queues_drain,
    &verb_queues_remove,
    &verb_processors_list,
    &verb_processors_show,
    &verb_breakers_list,
    &verb_breakers_reset,
    &verb_breakers_open,
    &verb_breakers_disable,
    &verb_workers_list,
    &verb_workers_set,
    &verb_workers_reset,
    &verb_workers_drain,
    &verb_schedules_list,
    &verb_schedules_add,
    &verb_schedules_edit,
    &verb_schedules_remove,
    &verb_schedules_pause,
    &verb_schedules_resume,
    &verb_schedules_run,
    &verb_schedules_next,
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

/* Of calls that sum up what has ended. */
#define SUMS_OF_USER 4

static const struct snapshot_limits snapshot_limits = {.most = PREDICTIONS_MOST,
                                                       .most_of_user = PREDICTIONS_OF_USER,
                                                       .time_ms = PREDICTION_KILL_MS,
                                                       .answer_bytes = PREDICTION_BYTES};

struct api *api_new(struct event_base *base, struct engine *engine,
                    const struct api_options *options)
{
    struct api *api = xcalloc(1, sizeof(*api));
    *api = (struct api){.base = base,
                        .engine = engine,
                        .users = users_new(),
                        .snapshots = snapshots_new(base, &snapshot_limits),
                        .slices = slices_new(base, SUMS_OF_USER),
                        .options = *options,
                        .started_at = clock_wall_us()};
    api->backups = backups_new(api);
    schedules_set_job_fn(engine, schedule_job_decode, api);
    return api;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    backups_free(api->backups);
    snapshots_free(api->snapshots);
    slices_free(api->slices);
    users_free(api->users);
    free(api);
}

static_assert(VERB_COUNT <= METER_VERBS_MAX, "each method is counted by itself");

static const struct api_verb *find_verb(const char *method, struct verb_meters **ret_meters,
                                        struct meters *meters)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i]->method, method) != 0)
            continue;
        *ret_meters = &meters->verbs[i];
        return verbs[i];
    }
    return NULL;
}

const char *api_method(size_t number)
{
    return number < VERB_COUNT ? verbs[number]->method : NULL;
}

struct api_call *api_begin(struct api *api, const struct api_sink *sink, void *sink_arg,
                           uint32_t uid, uint32_t gid)
{
    struct api_call *call = xcalloc(1, sizeof(*call));
    *call = (struct api_call){.api = api,
                              .sink = sink,
                              .sink_arg = sink_arg,
                              .uid = uid,
                              .gid = gid,
                              .meters = &api->options.meters->other_verbs,
                              .began_at = clock_monotonic_us()};
    return call;
}

/* The envelope: method, parameters, more, oneway, upgrade (Varlink); nothing else. */
static int read_envelope(struct api_call *call, const json_t *message, const char **ret_method,
                         struct error *err)
{
    static const char *const known[] = {"method", "parameters", "more", "oneway", "upgrade", NULL};
    json_t *params = NULL;
    if (!json_is_object(message))
        return error_set(err, ERROR_INVALID, "a request must be a JSON object");
    if (json_only_known(message, known, err) < 0 ||
        json_get_string(message, "method", true, ret_method, err) < 0 ||
        json_get_bool(message, "more", false, &call->more, err) < 0 ||
        json_get_bool(message, "oneway", false, &call->oneway, err) < 0 ||
        json_get_object(message, "parameters", false, &params, err) < 0)
        return -1;
    call->params = params == NULL ? json_object() : json_incref(params);
    return 0;
}

static void refuse_parameter(struct api_call *call, const struct error *err)
{
    json_t *extra = json_object();
    json_put_text(extra, "parameter", err->field);
    reply_error(call, "org.varlink.service.InvalidParameter", extra, err->text, NULL);
}

static void run_verb(struct api_call *call, const char *method, size_t bytes)
{
    const struct api_verb *verb = find_verb(method, &call->meters, call->api->options.meters);
    struct error err;
    call->submits =
        verb != NULL && verb->submits && !json_is_true(json_object_get(call->params, "dry_run"));
    if (verb == NULL) {
        json_t *extra = json_object();
        json_put_text(extra, "method", method);
        CLEANUP_FREE char *text = xasprintf("no method \"%.100s\"", method);
        reply_error(call, "org.varlink.service.MethodNotFound", extra, text, NULL);
    } else if (!verb->large && bytes > FRAME_BYTES_MAX_CONTROL) {
        json_t *extra = json_object();
        json_put_int(extra, "limit", FRAME_BYTES_MAX_CONTROL);
        reply_error(call, "TooLarge", extra, "this request may have at most 65536 bytes", NULL);
    } else if (json_only_known(call->params, verb->fields, &err) < 0) {
        refuse_parameter(call, &err);
    } else if (verb->needs_more && !call->more) {
        reply_error(call, "org.varlink.service.ExpectedMore", NULL,
                    "this method streams: call it with \"more\": true", NULL);
    } else {
        verb->run(call);
    }
}

void api_request(struct api_call *call, const char *text, size_t bytes)
{
    struct error err;
    const char *method = "";
    CLEANUP_JSON json_t *message = json_load_limited(text, bytes, &err);
    if (message == NULL) {
        if (err.code == ERROR_LIMIT)
            reply_error(call, "TooLarge", NULL, err.text, NULL);
        else
            refuse_parameter(call, &err);
        return;
    }
    if (read_envelope(call, message, &method, &err) < 0)
        refuse_parameter(call, &err);
    else
        run_verb(call, method, bytes);
}

void api_committed(struct api *api)
{
    backups_go_on(api->backups);
}

void api_gone(struct api *api, const void *sink_arg)
{
    engine_values_gone(api->engine, sink_arg);
}

void api_abort(struct api_call *call)
{
    if (call->cancel != NULL)
        call->cancel(call);
    call_count(call, METER_CODE_GONE);
    call_free(call);
}
