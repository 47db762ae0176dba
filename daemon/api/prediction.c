#include "daemon/api/prediction.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/api/view.h"
#include "daemon/engine/binding.h"
#include "daemon/engine/gate.h"
#include "daemon/engine/volumes.h"
#include "daemon/engine/outlook.h"
#include "daemon/exec/snapshot.h"

#include <stdlib.h>

/* A call that waits for its answer. */
struct prediction {
    const struct api_call *call;
    json_t *reply;  /* owned */
    json_t *target; /* a part of it */
    struct snapshot *snapshot;
    /* What is asked of the child. */
    uint64_t id;
    bool is_task, changes;
    uint64_t turn;      /* of the task */
    int64_t not_before; /* as long it waits for its next attempt; 0: it does not */
    int64_t now;
};

/* ---- the child ---- */

struct search {
    const struct prediction *what;
    struct prediction_clock clock;
    struct forecast_run found; /* job is NULL until then */
    bool cut;
};

struct prediction_clock prediction_clock_start(int64_t ms)
{
    return (struct prediction_clock){.until = clock_monotonic_us() + ms * US_PER_MS};
}

bool prediction_clock_over(const struct prediction_clock *clock)
{
    return clock_monotonic_us() > clock->until;
}

static bool on_started(void *arg, const struct forecast_run *run)
{
    struct search *search = arg;
    if (run->job->id == search->what->id && (!run->is_task || run->turn == search->what->turn)) {
        search->found = *run;
        return false;
    }
    search->cut = prediction_clock_over(&search->clock);
    return !search->cut;
}

static const struct forecast_events search_events = {.started = on_started};

static void put_start(json_t *answer, const struct search *search)
{
    bool found = search->found.job != NULL;
    int64_t early = search->what->not_before - search->found.started_at;
    early = early > 0 ? early : 0;
    json_put(answer, "predicted_start",
             found ? view_time(search->found.started_at + early) : json_null());
    json_put(answer, "predicted_end",
             found ? view_time(search->found.ends_at + early) : json_null());
    json_put_text(answer, "prediction", found ? "starts" : search->cut ? "unknown" : "none");
}

static void put_changes(json_t *answer, const struct prediction *what, struct job *job)
{
    struct start_change changes[START_CHANGES_MAX];
    struct start_state state;
    /* An array's next task starts first: another one needs more than a single change. What lacks a
     * worker that binds needs none of these. */
    if (!what->changes || (what->is_task && what->turn > 0) || engine_lacks_binding(job) != NULL)
        return;
    bool backs_off = engine_backoff_at(what->call->api->engine, job) > 0;
    engine_start_state(what->call->api->engine, what->now, &state);
    size_t count = start_changes_find(&state, job, changes);
    json_put(answer, "starts_now_if",
             prediction_changes(what->call, job, backs_off, changes, count));
}

static void work(void *arg, struct snapshot_writer *writer)
{
    const struct prediction *what = arg;
    struct search search = {
        .what = what,
        .clock = prediction_clock_start(what->changes ? PREDICTION_MS : PREDICTION_SHOW_MS)};
    struct engine *engine = what->call->api->engine;
    struct job *job = jobset_find(engine_jobs(engine), what->id);
    size_t bytes = 0;
    if (job == NULL)
        return;
    CLEANUP_JSON json_t *answer = json_object();
    /* What the machine is at beside our jobs nobody can foretell. */
    search.cut = !engine_is_open(engine) || engine_waits_for_room(engine, job);
    if (!search.cut) {
        put_changes(answer, what, job);
        struct forecast *forecast = engine_forecast(engine, what->now, &search_events, &search);
        forecast_go(forecast);
        forecast_free(forecast);
    }
    put_start(answer, &search);
    CLEANUP_FREE char *text = json_to_text(answer, &bytes);
    snapshot_write(writer, text, bytes);
}

/* ---- the daemon ---- */

static void release(struct api_call *call)
{
    struct prediction *prediction = call->state;
    call->state = NULL;
    call->cancel = NULL;
    if (prediction->snapshot != NULL)
        snapshot_cancel(prediction->snapshot);
    json_decref(prediction->reply);
    free(prediction);
}

static void on_line(void *arg, const char *line, size_t bytes)
{
    const struct api_call *call = arg;
    const struct prediction *prediction = call->state;
    CLEANUP_JSON json_t *answer = json_loadb(line, bytes, 0, NULL);
    if (json_is_object(answer))
        (void)json_object_update(prediction->target, answer);
}

/* What could not be predicted is not, and the rest is said. */
static void on_done(void *arg, const struct error *err)
{
    struct api_call *call = arg;
    struct prediction *prediction = call->state;
    json_t *reply = json_incref(prediction->reply);
    if (err != NULL)
        json_put_text(prediction->target, "prediction", "unknown");
    prediction->snapshot = NULL;
    release(call);
    reply_done(call, reply);
}

static const struct snapshot_events events = {.line = on_line, .done = on_done};

void prediction_refuse(struct api_call *call, const struct error *err)
{
    if (err->code == ERROR_BUSY)
        reply_busy(call, err, PREDICTION_RETRY_MS, NULL);
    else
        reply_failure(call, err);
}

/* The limits first: to find a task's turn may take as long as its array's list of ranges is. */
static int start(struct api_call *call, struct prediction *prediction, const struct job_row *row,
                 struct error *err)
{
    const struct snapshot_order order = {.uid = call->uid,
                                         .work = work,
                                         .work_arg = prediction,
                                         .events = &events,
                                         .events_arg = call};
    if (snapshots_check(call->api->snapshots, call->uid, err) < 0)
        return -1;
    if (prediction->is_task)
        (void)engine_task_turn(call->api->engine, row, row->status.index, &prediction->turn);
    prediction->snapshot = snapshot_start(call->api->snapshots, &order, err);
    return prediction->snapshot == NULL ? -1 : 0;
}

void prediction_reply(struct api_call *call, const struct job_row *row, bool changes, json_t *reply,
                      json_t *target)
{
    struct error err;
    struct prediction *prediction = xcalloc(1, sizeof(*prediction));
    *prediction = (struct prediction){.call = call,
                                      .reply = reply,
                                      .target = target,
                                      .id = row->facts.id,
                                      .is_task = row->status.is_task,
                                      .changes = changes,
                                      .now = clock_wall_us()};
    if (row->status.is_task)
        prediction->not_before = engine_task_backoff_at(call->api->engine, &row->status);
    call->state = prediction;
    call->cancel = release;
    if (start(call, prediction, row, &err) == 0)
        return;
    if (err.code != ERROR_BUSY || !changes) { /* what needs no prediction is said all the same */
        on_done(call, &err);
        return;
    }
    release(call);
    prediction_refuse(call, &err);
}
