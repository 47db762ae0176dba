#include "daemon/api/verb.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <string.h>

void call_free(struct api_call *call)
{
    json_decref(call->params);
    free(call);
}

void call_count(const struct api_call *call, enum meter_code code)
{
    const int64_t took_us = clock_monotonic_us() - call->began_at;
    buckets_add(&call->meters->codes[code], buckets_of_requests, (double)took_us / US_PER_SECOND);
}

/* ---- replies ---- */

static void finish(struct api_call *call, json_t *message, enum meter_code code)
{
    const struct api_sink *sink = call->sink;
    void *arg = call->sink_arg;
    if (call->oneway) {
        json_decref(message);
        message = NULL;
    }
    call_count(call, code);
    call_free(call);
    sink->send(arg, message, true);
}

void reply_done(struct api_call *call, json_t *parameters)
{
    json_t *message = json_object();
    json_put(message, "parameters", parameters == NULL ? json_object() : parameters);
    if (call->more)
        json_put(message, "continues", json_false());
    finish(call, message, METER_CODE_OK);
}

/* All of these, one after the other; the caller frees it. */
static char *join(const char *const *parts, size_t count, size_t *ret_bytes)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(parts[i]);
    char *whole = xmalloc(bytes + 1);
    char *end = whole;
    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, parts[i]);
    *ret_bytes = bytes;
    return whole;
}

void reply_done_with(struct api_call *call, json_t *parameters, const char *key, const char *value)
{
    const struct api_sink *sink = call->sink;
    void *arg = call->sink_arg;
    size_t bytes = 0;
    CLEANUP_FREE char *others = json_to_text(parameters, NULL);
    const char *const parts[] = {"{\"parameters\":{\"",
                                 key,
                                 "\":",
                                 value,
                                 strcmp(others, "{}") == 0 ? "" : ",",
                                 others + 1,
                                 call->more ? ",\"continues\":false}" : "}"};
    CLEANUP_FREE char *whole =
        call->oneway ? NULL : join(parts, sizeof(parts) / sizeof(parts[0]), &bytes);
    json_decref(parameters);
    call_count(call, METER_CODE_OK);
    call_free(call);
    sink->send_text(arg, whole, bytes);
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
    if (call->submits)
        meters_refuse(call->api->options.meters, name);
    json_put_text(extra, "message", text);
    if (hint != NULL)
        json_put_text(extra, "hint", hint);
    json_put_text(message, "error", whole);
    json_put(message, "parameters", extra);
    finish(call, message, meter_code_of(name));
}

#define VALUE_TEXT_MAX 1000U

/* The member of this name; a span is named without its unit ("ageing" for ageing_ms). */
static json_t *member_of(const json_t *object, const char *name)
{
    CLEANUP_FREE char *span = xasprintf("%s_ms", name);
    json_t *found = json_object_get(object, name);
    return found != NULL ? found : json_object_get(object, span);
}

/* What is named below a member: "licence", or "encode.params.crf". NULL: it was not given. */
static json_t *inner_value(json_t *value, const char *path)
{
    while (value != NULL && path[0] != '\0') {
        CLEANUP_FREE char *name = xmemdup(path, strcspn(path, "."));
        json_t *whole = member_of(value, path);
        if (whole != NULL)
            return whole;
        value = member_of(value, name);
        path += strlen(name) + (path[strlen(name)] == '.');
    }
    return value;
}

/* The member of the request that an error names ("depends", "resources.licence", "ageing" for
 * ageing_ms), or one of that name within a member. NULL: it was not given. */
static json_t *value_of(const json_t *params, const char *field)
{
    const char *key;
    json_t *member;
    const char *dot = strchrnul(field, '.');
    CLEANUP_FREE char *first = xmemdup(field, strcspn(field, ".["));
    json_t *found = member_of(params, first);
    if (found != NULL)
        return *dot == '.' ? inner_value(found, dot + 1) : found;
    json_object_foreach((json_t *)(uintptr_t)params, key, member) {
        found = json_object_get(member, first);
        if (found != NULL)
            return found;
    }
    return NULL;
}

/* The value as it was given; of a long one the beginning of its text. */
static json_t *view_value(const json_t *params, const char *field)
{
    json_t *value = value_of(params, field);
    CLEANUP_FREE char *text =
        value == NULL ? NULL
                      : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    if (text == NULL)
        return json_null();
    return strlen(text) <= VALUE_TEXT_MAX ? json_incref(value) : json_stringn(text, VALUE_TEXT_MAX);
}

static void put_rule(const struct api_call *call, const struct error *err, json_t *extra)
{
    json_put_text(extra, "field", err->field);
    json_put(extra, "value", view_value(call->params, err->field));
    json_put_text(extra, "rule", err->text);
}

void reply_unknown(struct api_call *call, const char *name, const struct error *err,
                   const char *hint)
{
    json_t *extra = json_object();
    put_rule(call, err, extra);
    reply_error(call, name, extra, err->text, hint);
}

void reply_busy(struct api_call *call, const struct error *err, int64_t retry_after_ms,
                const char *hint)
{
    json_t *extra = json_object();
    json_put_int(extra, "retry_after_ms", retry_after_ms);
    reply_error(call, "Busy", extra, err->text, hint);
}

void reply_failure(struct api_call *call, const struct error *err)
{
    static const char *const names[ERROR_CODE_COUNT] = {
        [ERROR_NONE] = "Internal",
        [ERROR_INVALID] = "InvalidSpec",
        [ERROR_NOT_FOUND] = "NoSuchJob",
        [ERROR_DENIED] = "org.varlink.service.PermissionDenied",
        [ERROR_CONFLICT] = "InvalidState",
        [ERROR_LIMIT] = "QuotaExceeded",
        [ERROR_BUSY] = "Busy",
        [ERROR_DRAINING] = "Draining",
        [ERROR_UNREACHABLE] = "Internal",
        [ERROR_PROTOCOL] = "Internal",
        [ERROR_IO] = "Internal",
        [ERROR_DAMAGED] = "Internal",
        [ERROR_INTERNAL] = "Internal",
    };
    json_t *extra = json_object();
    if (err->code == ERROR_INVALID) {
        put_rule(call, err, extra);
    } else if (err->code == ERROR_LIMIT) {
        json_put_int(extra, "limit", err->limit);
        json_put_int(extra, "used", err->used);
    } else if (err->code == ERROR_NOT_FOUND) {
        json_t *id = json_object_get(call->params, "id");
        json_put(extra, "id", id == NULL ? json_null() : json_incref(id));
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

json_t *view_wrong_state(enum job_state state, enum job_state first, enum job_state last)
{
    json_t *extra = json_object();
    json_t *allowed = json_array();
    for (unsigned i = first; i <= last; i++)
        (void)json_array_append_new(allowed, json_string(job_state_word((enum job_state)i)));
    json_put_text(extra, "state", job_state_word(state));
    json_put(extra, "allowed", allowed);
    return extra;
}

json_t *view_changed(uint64_t id, enum job_state state)
{
    json_t *reply = json_object();
    json_put_int(reply, "id", (int64_t)id);
    json_put_text(reply, "state", job_state_word(state));
    return reply;
}

int get_dry_run(struct api_call *call, bool *ret)
{
    struct error err;
    *ret = false;
    if (json_get_bool(call->params, "dry_run", false, ret, &err) >= 0)
        return 0;
    reply_failure(call, &err);
    return -1;
}

void put_dry_run(json_t *reply, bool dry_run)
{
    if (dry_run)
        json_put(reply, "dry_run", json_true());
}

int take_signal(const json_t *params, const char *key, bool required, int *ret, struct error *err)
{
    struct error why;
    const char *name = NULL;
    int found = json_get_string(params, key, required, &name, err);
    if (found > 0 && parse_signal(name, ret, &why) < 0)
        return error_set_field(err, key, "%s %s", key, why.text);
    return found;
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
