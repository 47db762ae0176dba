#include "daemon/api/api.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/frame.h"
#include "daemon/api/verb.h"

#include <string.h>

static const struct api_verb *const verbs[] = {
    &verb_submit,       &verb_list,      &verb_show,        &verb_cancel,
    &verb_wait,         &verb_logs_read, &verb_logs_follow, &verb_events_subscribe,
    &verb_ping,         &verb_info,      &verb_status,      &verb_varlink_info,
    &verb_varlink_description,
};

struct api *api_new(struct event_base *base, struct engine *engine,
                    const struct api_options *options)
{
    struct api *api = xcalloc(1, sizeof(*api));
    *api = (struct api){.base = base,
                        .engine = engine,
                        .options = *options,
                        .started_at = clock_wall_us()};
    return api;
}

void api_free(struct api *api)
{
    free(api);
}

static const struct api_verb *find_verb(const char *method)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i]->method, method) == 0)
            return verbs[i];
    }
    return NULL;
}

struct api_call *api_begin(struct api *api, const struct api_sink *sink, void *sink_arg,
                           uint32_t uid, uint32_t gid)
{
    struct api_call *call = xcalloc(1, sizeof(*call));
    *call = (struct api_call){
        .api = api, .sink = sink, .sink_arg = sink_arg, .uid = uid, .gid = gid};
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
    const struct api_verb *verb = find_verb(method);
    struct error err;
    if (verb == NULL) {
        json_t *extra = json_object();
        json_put_text(extra, "method", method);
        reply_error(call, "org.varlink.service.MethodNotFound", extra, "no such method", NULL);
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
    const char *method = NULL;
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

static void destroy(struct api_call *call)
{
    json_decref(call->params);
    free(call);
}

void api_abort(struct api_call *call)
{
    if (call->cancel != NULL)
        call->cancel(call);
    destroy(call);
}

/* ---- replies ---- */

static void finish(struct api_call *call, json_t *message)
{
    const struct api_sink *sink = call->sink;
    void *arg = call->sink_arg;
    if (call->oneway) {
        json_decref(message);
        message = NULL;
    }
    destroy(call);
    sink->send(arg, message, true);
}

void reply_done(struct api_call *call, json_t *parameters)
{
    json_t *message = json_object();
    json_put(message, "parameters", parameters == NULL ? json_object() : parameters);
    if (call->more)
        json_put(message, "continues", json_false());
    finish(call, message);
}

void reply_part(struct api_call *call, json_t *parameters)
{
    json_t *message = json_object();
    json_put(message, "parameters", parameters);
    json_put(message, "continues", json_true());
    call->sink->send(call->sink_arg, message, false);
}

void reply_error(struct api_call *call, const char *name, json_t *extra, const char *text,
                 const char *hint)
{
    json_t *message = json_object();
    CLEANUP_FREE char *whole =
        strchr(name, '.') != NULL ? xstrdup(name) : xasprintf("io.batchd.%s", name);
    if (extra == NULL)
        extra = json_object();
    json_put_text(extra, "message", text);
    if (hint != NULL)
        json_put_text(extra, "hint", hint);
    json_put_text(message, "error", whole);
    json_put(message, "parameters", extra);
    finish(call, message);
}

void reply_failure(struct api_call *call, const struct error *err)
{
    static const char *const names[ERROR_CODE_COUNT] = {
        [ERROR_NONE] = "Internal",          [ERROR_INVALID] = "InvalidSpec",
        [ERROR_NOT_FOUND] = "NoSuchJob",    [ERROR_DENIED] = "org.varlink.service.PermissionDenied",
        [ERROR_CONFLICT] = "InvalidState",  [ERROR_LIMIT] = "QuotaExceeded",
        [ERROR_BUSY] = "Busy",              [ERROR_UNREACHABLE] = "Internal",
        [ERROR_PROTOCOL] = "Internal",      [ERROR_IO] = "Internal",
        [ERROR_DAMAGED] = "Internal",       [ERROR_INTERNAL] = "Internal",
    };
    json_t *extra = json_object();
    if (err->code == ERROR_INVALID) {
        json_put_text(extra, "field", err->field);
        json_put_text(extra, "rule", err->text);
    }
    reply_error(call, names[err->code], extra, err->text, NULL);
}

void reply_no_job(struct api_call *call, uint64_t id)
{
    CLEANUP_FREE char *text = xasprintf("no job %llu", (unsigned long long)id);
    json_t *extra = json_object();
    json_put_int(extra, "id", (int64_t)id);
    reply_error(call, "NoSuchJob", extra, text, "batchctl list --all");
}

/* ---- access ---- */

bool access_all(const struct api_call *call)
{
    return call->uid == 0 || call->uid == call->api->options.owner_uid;
}

bool access_job(const struct api_call *call, uint32_t job_uid)
{
    return access_all(call) || call->uid == job_uid;
}

int load_own_job(struct api_call *call, uint64_t id, struct job_row *ret)
{
    struct error err;
    if (job_rows_load(engine_db(call->api->engine), id, ret, &err) < 0) {
        if (err.code == ERROR_NOT_FOUND)
            reply_no_job(call, id);
        else
            reply_failure(call, &err);
        return -1;
    }
    if (access_job(call, ret->facts.uid))
        return 0;
    job_row_done(ret);
    reply_no_job(call, id);
    return -1;
}

int get_job_id(struct api_call *call, uint64_t *ret)
{
    struct error err;
    int64_t id = 0;
    if (json_get_int(call->params, "id", true, 1, INT64_C(1) << 53U, &id, &err) < 0) {
        reply_failure(call, &err);
        return -1;
    }
    *ret = (uint64_t)id;
    return 0;
}
