/* io.batchd.Server.Stats {since_us, by, machine} -> {since_us, by, summary, totals, left_out,
 * depth, estimates} What happened since then, all together and by user, queue or type from the sums
 * of each minute, by name from the jobs that are kept; what waits; and what was learned of how long
 * jobs run, with how far off its predictions were (core/run_history.h says by which measure). Each
 * sees his own jobs; who may see all sees all, and the queues' means. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/api/minutes.h"
#include "daemon/api/rates.h"
#include "daemon/api/slices.h"
#include "daemon/api/totals.h"
#include "daemon/api/verb.h"
#include "daemon/core/estimates.h"
#include "daemon/engine/queues.h"

#include <stdlib.h>
#include <string.h>

/* Of either list, so that a reply stays small. */
#define LINES_MAX 1000U
/* A millisecond or two. */
#define PART_ROWS 500U
/* What who asks asks while as many as may be are made should wait. */
#define RETRY_MS 1000

static const char *const kind_words[ESTIMATE_KIND_COUNT] = {
    [ESTIMATE_OF_NAME] = "name", [ESTIMATE_OF_TYPE] = "type", [ESTIMATE_OF_QUEUE] = "queue"};

/* What is read, one after the other. */
enum reading { READ_MINUTES, READ_JOBS, READ_MACHINE, READ_ALL };

/* The sums are made part by part, so that others are served meanwhile. */
struct sums {
    struct rates *rates; /* owned, as the next two */
    struct totals *totals;
    struct slice *slice; /* for the next part */
    enum reading now;
    struct rollup_cursor minutes;
    struct total_cursor cursor; /* by name alone */
    struct minutes *machine;    /* NULL when nobody asked for it; owned */
    enum rate_by by;
};

/* Milliseconds to a thousandth. */
static json_t *view_ms(double us)
{
    return json_real((double)(int64_t)(us + 0.5) / (double)US_PER_MS);
}

struct learned {
    const struct api_call *call;
    int64_t since;
    struct estimate *list; /* owned */
    size_t count;
};

static void collect(void *arg, const struct estimate *one)
{
    struct learned *learned = arg;
    bool mine = one->kind != ESTIMATE_OF_QUEUE && one->uid == learned->call->uid;
    if (one->learned_at < learned->since || !(mine || access_all(learned->call)))
        return;
    learned->list = xreallocarray(learned->list, learned->count + 1, sizeof(*learned->list));
    learned->list[learned->count++] = *one;
}

/* The most runs first; nothing else may decide differently from call to call. */
static int compare(const void *a, const void *b)
{
    const struct estimate *first = a;
    const struct estimate *second = b;
    if (first->history->samples != second->history->samples)
        return first->history->samples > second->history->samples ? -1 : 1;
    if (first->uid != second->uid)
        return first->uid < second->uid ? -1 : 1;
    if (first->kind != second->kind)
        return first->kind < second->kind ? -1 : 1;
    return strcmp(first->name, second->name);
}

static json_t *view_percent(double share)
{
    return json_real((double)(int64_t)(share * 1000 + (share < 0 ? -0.5 : 0.5)) / 10);
}

static json_t *view_estimate(const struct api_call *call, const struct estimate *one)
{
    struct run_error error;
    json_t *object = json_object();
    run_history_error(one->history, &error);
    json_put_text(object, "kind", kind_words[one->kind]);
    json_put_text(object, "name", one->name);
    json_put_text(object, "user",
                  one->kind == ESTIMATE_OF_QUEUE ? NULL : users_name(call->api->users, one->uid));
    json_put_int(object, "runs", (int64_t)one->history->samples);
    json_put(object, "estimate_ms", view_ms((double)one->published_us));
    json_put_int(object, "predicted", error.count);
    json_put(object, "error_ms", error.count == 0 ? json_null() : view_ms((double)error.mean_us));
    json_put(object, "error_percent", error.count == 0 ? json_null() : view_percent(error.typical));
    json_put(object, "bias_percent", error.count == 0 ? json_null() : view_percent(error.bias));
    return object;
}

static json_t *view_estimates(const struct api_call *call, int64_t since)
{
    struct learned learned = {.call = call, .since = since};
    json_t *list = json_array();
    estimates_each(engine_estimates(call->api->engine), collect, &learned);
    if (learned.count > 0)
        qsort(learned.list, learned.count, sizeof(*learned.list), compare);
    for (size_t i = 0; i < learned.count && i < LINES_MAX; i++)
        (void)json_array_append_new(list, view_estimate(call, &learned.list[i]));
    free(learned.list);
    return list;
}

static int get_by(const struct api_call *call, enum rate_by *ret, struct error *err)
{
    const char *word = rate_by_word(RATE_BY_NAME);
    if (json_get_string(call->params, "by", false, &word, err) < 0)
        return -1;
    for (unsigned by = 0; by < RATE_BY_COUNT; by++) {
        if (strcmp(word, rate_by_word((enum rate_by)by)) == 0) {
            *ret = (enum rate_by)by;
            return 0;
        }
    }
    return error_set_field(err, "by", "by \"%.40s\" must be user, queue, name or type", word);
}

static void release(struct api_call *call)
{
    struct sums *sums = call->state;
    call->cancel = NULL;
    rates_free(sums->rates);
    totals_free(sums->totals);
    slice_free(sums->slice);
    minutes_free(sums->machine);
    free(sums);
}

/* ---- what waits ---- */

struct depths {
    const struct jobset *jobs;
    json_t *list;
};

static void add_depth(void *arg, const struct named_queue *queue)
{
    const struct depths *depths = arg;
    for (unsigned level = 0; level < JOB_PRIORITY_COUNT; level++) {
        size_t waiting = jobset_waiting_at(depths->jobs, queue->number, (enum job_priority)level);
        if (waiting == 0)
            continue;
        json_t *object = json_object();
        json_put_text(object, "queue", queue->name);
        json_put_text(object, "priority", job_priority_word((enum job_priority)level));
        json_put_int(object, "waiting", (int64_t)waiting);
        (void)json_array_append_new(depths->list, object);
    }
}

static json_t *view_depth(const struct api_call *call)
{
    struct depths depths = {.jobs = engine_jobs(call->api->engine), .list = json_array()};
    engine_queues_each(call->api->engine, add_depth, &depths);
    return depths.list;
}

/* ---- the answer ---- */

static void finish(struct api_call *call)
{
    const struct sums *sums = call->state;
    uint64_t left_out = 0;
    json_t *reply = json_object();
    CLEANUP_FREE char *machine = sums->machine == NULL ? NULL : minutes_text(sums->machine);
    rates_set_span(sums->rates, sums->cursor.since, clock_wall_us());
    json_t *totals = sums->by == RATE_BY_NAME
                         ? totals_view(sums->totals, LINES_MAX, &left_out)
                         : rates_view(sums->rates, call->api->users, &left_out);
    json_put_int(reply, "since_us", sums->cursor.since);
    json_put_text(reply, "by", rate_by_word(sums->by));
    json_put(reply, "summary", rates_view_sum(sums->rates));
    json_put(reply, "totals", totals);
    json_put_int(reply, "left_out", (int64_t)left_out);
    json_put(reply, "depth", view_depth(call));
    json_put(reply, "estimates", view_estimates(call, sums->cursor.since));
    release(call);
    reply_done_with(call, reply, "machine", machine == NULL ? "null" : machine);
}

/* The next part of what is read now. 1: there may be more of it; 0: it is done; or -1. */
static int read_next(struct db *db, struct sums *sums, struct error *err)
{
    if (sums->now == READ_MINUTES)
        return rollup_rows_next(db, &sums->minutes, rates_add, sums->rates, err);
    if (sums->now == READ_JOBS)
        return sums->by != RATE_BY_NAME
                   ? 0
                   : total_rows_next(db, &sums->cursor, totals_add, sums->totals, err);
    return sums->machine == NULL ? 0 : minutes_next(db, sums->machine, err);
}

static void read_part(void *arg)
{
    struct api_call *call = arg;
    struct sums *sums = call->state;
    struct error err;
    int more = 0;
    while (sums->now != READ_ALL &&
           (more = read_next(engine_db(call->api->engine), sums, &err)) == 0)
        sums->now++;
    if (more == 0) {
        finish(call);
    } else if (more < 0) {
        release(call);
        reply_failure(call, &err);
    }
}

static void run(struct api_call *call)
{
    enum rate_by by = RATE_BY_NAME;
    int64_t since = 0;
    bool machine = false;
    struct error err;
    if (json_get_bool(call->params, "machine", false, &machine, &err) < 0 ||
        json_get_int(call->params, "since_us", false, 0, INT64_MAX, &since, &err) < 0 ||
        get_by(call, &by, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    struct sums *sums = xcalloc(1, sizeof(*sums));
    *sums =
        (struct sums){.by = by,
                      .machine = machine ? minutes_new(since) : NULL,
                      .minutes = {.minute = since / ROLLUP_MINUTE_US, .uid = -1, .rows = PART_ROWS},
                      .cursor = {.since = since, .rows = PART_ROWS}};
    sums->rates = rates_new(by, access_all(call), call->uid);
    sums->totals = totals_new(access_all(call), call->uid);
    sums->slice = slice_new(call->api->slices, call->uid, read_part, call, &err);
    call->state = sums;
    call->cancel = release;
    if (sums->slice != NULL)
        return;
    release(call);
    reply_busy(call, &err, RETRY_MS, NULL);
}

static const char *const fields[] = {"since_us", "by", "machine", NULL};
const struct api_verb verb_stats = {
    .method = "io.batchd.Server.Stats", .fields = fields, .run = run};
