#include "daemon/api/view.h"

#include "common/clock.h"
#include "common/cleanup.h"
#include "common/parse.h"
#include "common/worker_protocol.h"
#include "daemon/api/job_resources.h"
#include "daemon/api/limit_members.h"
#include "daemon/engine/live.h"
#include "daemon/api/outputs.h"
#include "daemon/api/reasons.h"
#include "daemon/api/users.h"
#include "daemon/core/array_spec.h"
#include "daemon/store/array_rows.h"
#include "daemon/store/condition_rows.h"
#include "daemon/store/dependency_rows.h"
#include "daemon/store/retry_rows.h"

#include <string.h>

json_t *view_time(int64_t at)
{
    return at == 0 ? json_null() : json_integer(at);
}

json_t *view_outcome(const struct outcome *outcome, enum job_state state)
{
    if (!job_state_terminal(state) || outcome->class == OUTCOME_NONE)
        return json_null();
    json_t *object = json_object();
    json_t *code = outcome->exit_code < 0 ? json_null() : json_integer(outcome->exit_code);
    /* What was never executed has no exit code; a shell would still give it a status. */
    bool spawn = outcome->class == OUTCOME_SPAWN;
    json_put_text(object, "class", outcome_class_word(outcome->class));
    json_put(object, "exit_code", spawn ? json_null() : json_incref(code));
    json_put(object, "shell_status", spawn ? json_incref(code) : json_null());
    json_decref(code);
    json_put(object, "signal", outcome->signal == 0 ? json_null() : json_integer(outcome->signal));
    json_put_text(object, "message", outcome->message[0] == '\0' ? NULL : outcome->message);
    return object;
}

json_t *view_usage(const struct job_status *status, enum job_state state)
{
    if (!job_state_terminal(state) || status->started_at == 0)
        return json_null();
    const struct usage *usage = &status->usage;
    json_t *object = json_object();
    json_put_int(object, "cpu_ms", (int64_t)((usage->user_us + usage->system_us) / 1000));
    json_put_int(object, "user_us", (int64_t)usage->user_us);
    json_put_int(object, "system_us", (int64_t)usage->system_us);
    json_put_int(object, "run_us", (int64_t)usage->run_us);
    json_put_int(object, "max_rss_bytes", (int64_t)usage->max_rss_bytes);
    json_put_text(object, "memory_source", memory_source_word(usage->memory_source));
    json_put_int(object, "stdout_bytes", (int64_t)usage->stdout_bytes);
    json_put_int(object, "stderr_bytes", (int64_t)usage->stderr_bytes);
    json_put_int(object, "cut_bytes", (int64_t)usage->cut_bytes);
    json_put_int(object, "lost_bytes", (int64_t)usage->lost_bytes);
    return object;
}

static json_t *view_text_or_null(const char *text)
{
    json_t *value = text == NULL ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
    return value == NULL ? json_null() : value;
}

int view_decode_run(const struct job_row *row, struct job_run *ret)
{
    struct record record;
    size_t used;
    *ret = (struct job_run){0};
    if (record_parse(row->facts.run, row->facts.run_bytes, &record, &used) != RECORD_OK)
        return -1;
    return get_run(&record, ret);
}

static void put_warning(json_t *object, const struct job_run *run)
{
    char name[16];
    format_signal((int)run->warn_signal, name, sizeof(name));
    json_put_text(object, "timeout_signal", run->warn_signal == 0 ? NULL : name);
    json_put(object, "timeout_signal_ms",
             run->warn_signal == 0 ? json_null() : json_integer((int64_t)run->warn_ms));
}

static void add_command(json_t *object, const struct job_row *row)
{
    struct job_run run;
    if (view_decode_run(row, &run) < 0) {
        json_put(object, "argv", json_null());
        outputs_view(&(struct job_run){.argc = 0}, object);
        limit_members_view(&(struct job_limits){0}, object);
        return;
    }
    json_t *argv = json_array();
    for (uint32_t i = 0; i < run.argc; i++)
        (void)json_array_append_new(argv, json_from_bytes(run.argv[i], strlen(run.argv[i])));
    json_put(object, "argv", argv);
    json_put_text(object, "cwd", run.cwd);
    json_put(object, "timeout_ms",
             run.timeout_ms == 0 ? json_null() : json_integer((int64_t)run.timeout_ms));
    put_warning(object, &run);
    outputs_view(&run, object);
    limit_members_view(&run.limits, object);
    if (row->facts.type != NULL) {
        json_t *input = view_text_or_null(run.input);
        json_t *params = json_object_get(input, "params");
        json_put(object, "params", params == NULL ? json_null() : json_incref(params));
        json_decref(input);
    }
    job_run_done(&run);
}

json_t *view_env(const struct job_row *row, bool values)
{
    struct job_run run;
    json_t *env = values ? json_object() : json_array();
    if (view_decode_run(row, &run) < 0)
        return env;
    for (uint32_t i = 0; i < run.envc; i++) {
        char *equals = strchr(run.env[i], '=');
        if (equals == NULL)
            continue;
        *equals = '\0';
        if (values)
            json_put_text(env, run.env[i], equals + 1);
        else
            (void)json_array_append_new(env, json_string(run.env[i]));
    }
    job_run_done(&run);
    return env;
}

/* What it said last, without the type of its line. */
static json_t *view_line(const char *text)
{
    json_t *line = view_text_or_null(text);
    if (json_is_object(line))
        (void)json_object_del(line, "type");
    return line;
}

/* What it uses while it runs, as it was seen last. */
static json_t *view_live(const struct api *api, const struct attempt_id *id)
{
    int64_t at = 0;
    const struct job_usage *usage = engine_usage(api->engine, id, &at);
    if (usage == NULL)
        return json_null();
    json_t *object = json_object();
    json_put_int(object, "seen_at", at);
    json_put_int(object, "cpu_ms", (int64_t)(usage->cpu_us / 1000));
    json_put(object, "cpu_percent", json_real(usage->cpu_permille / 10.0));
    json_put_int(object, "memory_bytes", (int64_t)usage->memory_bytes);
    json_put_int(object, "max_rss_bytes", (int64_t)usage->peak_bytes);
    json_put_text(object, "memory_source", memory_source_word((enum memory_source)usage->source));
    json_put_int(object, "processes", usage->processes);
    return object;
}

static void add_news(const struct api *api, json_t *object, const struct job_row *row)
{
    const struct attempt_id id = {.job = row->facts.id,
                                  .index = row->status.index,
                                  .attempt = row->status.attempt,
                                  .is_task = row->status.is_task};
    json_put(object, "progress", view_line(engine_progress(api->engine, &id)));
    json_put(object, "preview", view_line(engine_preview(api->engine, &id)));
    json_put(object, "live", view_live(api, &id));
}

/* What it was submitted to wait for; true when it still does. */
static bool add_depends(const struct api *api, json_t *object, const struct job_row *row,
                        int64_t *eligible)
{
    struct dependency_spec spec = {.items = NULL};
    int64_t done_at = 0;
    (void)dependency_rows_load(engine_db(api->engine), row->facts.id, &spec, &done_at, NULL);
    CLEANUP_FREE char *text = dependency_spec_text(&spec);
    dependency_spec_done(&spec);
    json_put_text(object, "depends", text);
    *eligible = done_at > *eligible ? done_at : *eligible;
    return text != NULL && done_at == 0;
}

/* When what failed is tried again; 0: it does not wait for that. */
static int64_t retry_time(const struct api *api, const struct job_row *row)
{
    const struct job *job = jobset_find(engine_jobs(api->engine), row->facts.id);
    if (row->status.is_task)
        return engine_task_backoff_at(api->engine, &row->status);
    int64_t at = job == NULL ? 0 : engine_backoff_at(api->engine, job);
    int64_t off = row->status.retry_at - at;
    /* What is stored is the same unless the clock was set, but for the time between two looks. */
    return at != 0 && off > -US_PER_SECOND && off < US_PER_SECOND ? row->status.retry_at : at;
}

/* It could have started when the last of what kept it was gone: null while it is held or waits for
 * others. A damaged row keeps nothing. */
static void add_times(const struct api *api, json_t *object, const struct job_row *row)
{
    struct condition condition = {0};
    int64_t eligible = row->facts.submitted_at;
    if (condition_rows_load(engine_db(api->engine), row->facts.id, &condition, NULL) < 0)
        condition = (struct condition){0};
    eligible = condition.begin_at > eligible ? condition.begin_at : eligible;
    eligible = condition.released_at > eligible ? condition.released_at : eligible;
    json_put_int(object, "submitted_at", row->facts.submitted_at);
    json_put(object, "begin_at", view_time(condition.begin_at));
    json_put(object, "deadline_at", view_time(condition.deadline_at));
    bool depends = add_depends(api, object, row, &eligible);
    int64_t retry_at = retry_time(api, row);
    eligible = retry_at > eligible ? retry_at : eligible;
    json_put(object, "retry_at", view_time(retry_at));
    json_put(object, "eligible_at",
             condition.held || depends ? json_null() : json_integer(eligible));
    json_put(object, "started_at", view_time(row->status.started_at));
    json_put(object, "ended_at", view_time(row->status.ended_at));
}

/* How long it is expected to run; once it started, as it was predicted then. */
static void add_estimate(const struct api *api, json_t *object, const struct job_row *row)
{
    enum estimate_source source = row->status.predicted_by;
    int64_t estimate_us = row->status.predicted_us;
    const struct job *job = jobset_find(engine_jobs(api->engine), row->facts.id);
    bool waits = row->status.state == JOB_STATE_PENDING ||
                 (row->facts.array != NULL && !row->status.is_task);
    if (estimate_us == 0 && job != NULL && waits) {
        estimate_us = engine_estimate_of(api->engine, job, &source);
    } else if (estimate_us == 0 && row->facts.estimate_us > 0) {
        estimate_us = row->facts.estimate_us;
        source = ESTIMATE_USER;
    }
    json_put(object, "estimate_ms",
             estimate_us == 0 ? json_null() : json_integer((estimate_us + 999) / US_PER_MS));
    json_put_text(object, "estimate_source", estimate_source_word(source));
}

/* An array: what it was asked for and how far it is. A task: its index. */
static void add_array(const struct api *api, json_t *object, const struct job_row *row)
{
    struct array_spec spec = {.ranges = NULL};
    struct array_progress tasks = row->status.tasks;
    uint64_t active = 0;
    if (row->facts.array == NULL || row->status.is_task) {
        json_put(object, "array", json_null());
        json_put(object, "index",
                 row->status.is_task ? json_integer((json_int_t)row->status.index) : json_null());
        return;
    }
    (void)array_spec_parse(row->facts.array, UINT64_MAX, &spec, NULL); /* checked at submit */
    (void)engine_array_live(api->engine, row->facts.id, &tasks, &active);
    uint64_t ended = tasks.completed + tasks.failed + tasks.cancelled;
    json_t *array = json_object();
    json_put_text(array, "spec", row->facts.array);
    json_put_int(array, "count", (int64_t)spec.total);
    json_put_int(array, "pending", (int64_t)(spec.total - ended - active));
    json_put_int(array, "running", (int64_t)active);
    json_put_int(array, "completed", (int64_t)tasks.completed);
    json_put_int(array, "failed", (int64_t)tasks.failed);
    json_put_int(array, "cancelled", (int64_t)tasks.cancelled);
    json_put(object, "array", array);
    json_put(object, "index", json_null());
    array_spec_done(&spec);
}

/* A row that cannot be read says nothing here: batchd --check-store and the array's start do. */
static void add_origin(const struct api *api, json_t *object, const struct job_row *row)
{
    struct db *db = engine_db(api->engine);
    struct array_options options = {0};
    uint64_t retry_of = 0;
    char text[24] = "";
    if (row->facts.array != NULL && array_rows_load(db, row->facts.id, &options, NULL) == 0)
        fails_limit_format(&options.max_fails, text, sizeof(text));
    if (retry_rows_load(db, row->facts.id, &retry_of, NULL) < 0)
        retry_of = 0;
    json_put_text(object, "max_fails", text[0] == '\0' ? NULL : text);
    json_put(object, "retry_of", retry_of == 0 ? json_null() : json_integer((json_int_t)retry_of));
}

json_t *view_job(const struct api *api, const struct job_row *row)
{
    json_t *object = json_object();
    json_put_int(object, "id", (int64_t)row->facts.id);
    add_array(api, object, row);
    json_put_text(object, "name", row->facts.name);
    json_put_text(object, "type", row->facts.type);
    add_command(object, row);
    json_put_text(object, "queue", row->facts.queue);
    json_put_text(object, "priority", job_priority_word(row->facts.priority));
    json_put_text(object, "user", users_name(api->users, row->facts.uid));
    json_put_int(object, "uid", row->facts.uid);
    json_put_text(object, "state", job_state_word(row->status.state));
    json_put(object, "cancelling", json_boolean(row->status.cancelling));
    json_put(object, "reasons", reasons_words(api, row));
    json_put_int(object, "attempt", row->status.attempt);
    json_put_int(object, "max_attempts", row->facts.retry.max_attempts);
    json_put_int(object, "charged", row->status.charged);
    json_put_int(object, "losses", row->status.losses);
    add_times(api, object, row);
    add_estimate(api, object, row);
    json_put(object, "predicted_start", json_null()); /* Show asks for it (prediction.h) */
    add_news(api, object, row);
    json_put(object, "outcome", view_outcome(&row->status.outcome, row->status.state));
    json_put(object, "edited_at", view_time(row->facts.edited_at));
    json_put(object, "usage", view_usage(&row->status, row->status.state));
    json_put(object, "worker",
             row->status.worker == 0 ? json_null() : json_integer((int64_t)row->status.worker));
    job_resources_view(api, row, object);
    json_put_text(object, "unique", row->facts.unique);
    json_t *tags = view_text_or_null(row->facts.tags);
    json_put(object, "tags", json_is_object(tags) ? tags : json_object());
    json_put(object, "result", view_text_or_null(row->status.result));
    add_origin(api, object, row);
    return object;
}

static void put_breaker(json_t *object, const struct bus_breaker *breaker)
{
    json_put_text(object, "breaker", breaker->name);
    json_put_text(object, "state", breaker_state_word(breaker->state));
    json_put(object, "until", view_time(breaker->until));
}

json_t *view_event(const struct bus_event *event, const char *progress)
{
    json_t *object = json_object();
    json_put_int(object, "seq", (int64_t)event->seq);
    json_put_int(object, "time_us", event->at);
    json_put_text(object, "event", bus_kind_word(event->kind));
    if (event->breaker != NULL) {
        put_breaker(object, event->breaker);
        json_put_int(object, "uid", event->uid);
        return object;
    }
    json_put_int(object, "id", (int64_t)event->job);
    json_put(object, "index",
             event->is_task ? json_integer((json_int_t)event->index) : json_null());
    json_put_int(object, "uid", event->uid);
    json_put_text(object, "state", job_state_word(event->state));
    json_put_int(object, "attempt", event->attempt);
    if (event->kind == BUS_ENDED) {
        const struct outcome outcome = {
            .class = event->class, .exit_code = event->exit_code, .signal = event->signal};
        json_put(object, "outcome", view_outcome(&outcome, event->state));
    }
    if (event->kind == BUS_PROGRESS)
        json_put(object, "progress", view_text_or_null(progress));
    return object;
}
