/* io.batchd.Events.Subscribe {since_seq} more -> {seq, time_us, event, id, index, uid, state,
 * attempt, outcome, progress}..., of a circuit breaker {seq, time_us, event, uid, breaker, state,
 * until}, and {type: "ping"} every 15 s. Gapless in seq. A reader that falls
 * behind, or asks for what is gone, gets StaleCursor{oldest}.
 */
#include "daemon/api/view.h"

#include "common/alloc.h"
#include "daemon/core/meters.h"

#include <stdlib.h>

#define PING_MS 15000

struct subscription {
    struct bus_subscriber *subscriber;
    struct timer *ping;
};

static void release(struct api_call *call)
{
    struct subscription *subscription = call->state;
    call->state = NULL;
    call->cancel = NULL;
    bus_unsubscribe(engine_bus(call->api->engine), subscription->subscriber);
    timer_free(subscription->ping);
    free(subscription);
}

static void reply_stale(struct api_call *call, uint64_t oldest, const char *text)
{
    json_t *extra = json_object();
    json_put_int(extra, "oldest", (int64_t)oldest);
    reply_error(call, "StaleCursor", extra, text,
                "list the jobs, then subscribe without since_seq");
}

/* False when the reader fell behind: then the call was answered and is gone. */
static bool send_event(struct api_call *call, const struct bus_event *event)
{
    bool everybody = event->breaker != NULL && event->breaker->everybody;
    if (!everybody && !access_job(call, event->uid))
        return true;
    if (call->sink->backlog(call->sink_arg) > API_BACKLOG_MAX) {
        release(call);
        call->api->options.meters->dropped++;
        reply_stale(call, event->seq, "this reader fell behind");
        return false;
    }
    const struct attempt_id id = {.job = event->job,
                                  .index = event->index,
                                  .attempt = event->attempt,
                                  .is_task = event->is_task};
    reply_part(call, view_event(event, engine_progress(call->api->engine, &id)));
    return true;
}

static void on_event(void *arg, const struct bus_event *event)
{
    (void)send_event(arg, event);
}

struct replay {
    struct api_call *call; /* NULL: gone */
};

static void on_replayed(void *arg, const struct bus_event *event)
{
    struct replay *replay = arg;
    if (replay->call != NULL && !send_event(replay->call, event))
        replay->call = NULL;
}

static void on_ping(void *arg)
{
    struct api_call *call = arg;
    struct subscription *subscription = call->state;
    json_t *part = json_object();
    json_put_text(part, "type", "ping");
    reply_part(call, part);
    timer_set(subscription->ping, PING_MS);
}

static void run(struct api_call *call)
{
    struct bus *bus = engine_bus(call->api->engine);
    struct error err;
    uint64_t oldest = 0;
    int64_t since = (int64_t)bus_last_seq(bus);
    if (json_get_int(call->params, "since_seq", false, 0, INT64_MAX, &since, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    struct subscription *subscription = xcalloc(1, sizeof(*subscription));
    call->state = subscription;
    struct replay replay = {.call = call};
    if (bus_replay(bus, (uint64_t)since, on_replayed, &replay, &oldest) < 0) {
        free(subscription);
        call->state = NULL;
        reply_stale(call, oldest, "the events after this seq are gone");
        return;
    }
    if (replay.call == NULL)
        return;
    call->cancel = release;
    subscription->subscriber = bus_subscribe(bus, on_event, call);
    subscription->ping = timer_new(call->api->base, on_ping, call);
    timer_set(subscription->ping, PING_MS);
}

static const char *const fields[] = {"since_seq", NULL};
const struct api_verb verb_events_subscribe = {
    .method = "io.batchd.Events.Subscribe", .fields = fields, .needs_more = true, .run = run};
