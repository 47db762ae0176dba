/* What would make a job start now, in words and as a command where there is one. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"
#include "daemon/api/prediction.h"
#include "daemon/api/wording.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const change_words[CHANGE_KIND_COUNT] = {[CHANGE_RELEASE] = "release",
                                                            [CHANGE_BEGIN] = "begin",
                                                            [CHANGE_DEPENDENCY] = "dependency",
                                                            [CHANGE_RESUME] = "resume",
                                                            [CHANGE_ARRAY_LIMIT] = "array",
                                                            [CHANGE_USER_LIMIT] = "per_user",
                                                            [CHANGE_SLOTS] = "slots",
                                                            [CHANGE_WORKERS] = "workers",
                                                            [CHANGE_FREE] = "free",
                                                            [CHANGE_PRIORITY] = "priority",
                                                            [CHANGE_ESTIMATE] = "estimate"};

/* What is said of one change; texts are owned. */
struct said {
    const struct job *job;
    const struct named_queue *queue;
    const struct resource_names *names;
    bool may_change_queues, backs_off;
    char *text, *command;
};

static void say_limit(const struct start_change *change, struct said *said)
{
    bool slots = change->kind == CHANGE_SLOTS;
    uint64_t limit =
        (slots ? said->queue->settings.slots : said->queue->settings.per_user) + change->amount;
    CLEANUP_FREE char *count = wording_count(limit, NULL, slots ? "slot" : "job");
    said->text =
        slots ? xasprintf("queue %s had %s", said->queue->name, count)
              : xasprintf("a user could have %s running in queue %s", count, said->queue->name);
    if (said->may_change_queues)
        said->command = xasprintf("batchctl queue set %s --%s %" PRIu64, said->queue->name,
                                  slots ? "slots" : "per-user", limit);
}

static void say_free(const struct start_change *change, struct said *said)
{
    CLEANUP_FREE char *amount =
        wording_amount(said->names, change->resource, change->amount, "more");
    said->text = xasprintf("%s were free", amount);
}

static char *say_workers(uint64_t count)
{
    CLEANUP_FREE char *more = wording_count(count, "more", "worker");
    return xasprintf("there were %s (workers.max)", more);
}

static void say_job(const struct start_change *change, struct said *said)
{
    uint64_t id = said->job->id;
    char text[64] = "";
    const char *level;
    if (change->kind == CHANGE_RELEASE) {
        said->text = xstrdup("it were released");
        said->command = xasprintf("batchctl release %" PRIu64, id);
    } else if (change->kind == CHANGE_BEGIN && said->backs_off) {
        said->text = xstrdup("the time of its next attempt had come");
        said->command = xasprintf("batchctl release %" PRIu64, id);
    } else if (change->kind == CHANGE_BEGIN) {
        said->text = xstrdup("its begin time had come");
        said->command = xasprintf("batchctl edit %" PRIu64 " --begin now", id);
    } else if (change->kind == CHANGE_DEPENDENCY) {
        dependency_format(&change->dependency, text, sizeof(text));
        said->text = xasprintf("%s were fulfilled", text);
    } else if (change->kind == CHANGE_PRIORITY) {
        level = job_priority_word((enum job_priority)change->amount);
        said->text = xasprintf("its priority were %s", level);
        said->command = xasprintf("batchctl edit %" PRIu64 " -p %s", id, level);
    } else {
        format_span(change->amount, text, sizeof(text));
        said->text = xasprintf("it were expected to run for %s at most", text);
        said->command = xasprintf("batchctl edit %" PRIu64 " -e %" PRIu64 "ms", id, change->amount);
    }
}

static void say(const struct start_change *change, struct said *said)
{
    switch (change->kind) {
    case CHANGE_USER_LIMIT:
    case CHANGE_SLOTS:
        say_limit(change, said);
        break;
    case CHANGE_FREE:
        say_free(change, said);
        break;
    case CHANGE_RESUME:
        said->text = xasprintf("queue %s were resumed", said->queue->name);
        if (said->may_change_queues)
            said->command = xasprintf("batchctl queue resume %s", said->queue->name);
        break;
    case CHANGE_ARRAY_LIMIT:
        said->text = xasprintf("%" PRIu64 " more of its tasks could run at a time", change->amount);
        break;
    case CHANGE_WORKERS:
        said->text = say_workers(change->amount);
        break;
    case CHANGE_RELEASE:
    case CHANGE_BEGIN:
    case CHANGE_DEPENDENCY:
    case CHANGE_PRIORITY:
    case CHANGE_ESTIMATE:
    case CHANGE_KIND_COUNT:
        say_job(change, said);
        break;
    }
}

static json_t *view(const struct start_change *change, const struct said *said)
{
    json_t *object = json_object();
    bool plain = change->kind <= CHANGE_DEPENDENCY || change->kind == CHANGE_RESUME;
    json_put_text(object, "change",
                  (unsigned)change->kind < CHANGE_KIND_COUNT ? change_words[change->kind] : NULL);
    /* Those to be bound to are cpus, and have no name of their own. */
    const enum resource_kind kind =
        change->resource == RESOURCE_BOUND ? RESOURCE_CPUS : change->resource;
    json_put_text(object, "resource",
                  change->kind == CHANGE_FREE ? resource_names_word(said->names, kind) : NULL);
    json_put(object, "amount",
             plain || change->kind == CHANGE_PRIORITY ? json_null()
                                                      : json_integer((json_int_t)change->amount));
    json_put_text(object, "text", said->text);
    json_put_text(object, "command", said->command);
    return object;
}

json_t *prediction_changes(const struct api_call *call, const struct job *job, bool backs_off,
                           const struct start_change *changes, size_t count)
{
    const struct engine *engine = call->api->engine;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        struct said said = {.job = job,
                            .backs_off = backs_off,
                            .queue = engine_queue_number(engine, job->queue),
                            .names = &engine_limits(engine)->names,
                            .may_change_queues = access_all(call)};
        say(&changes[i], &said);
        (void)json_array_append_new(list, view(&changes[i], &said));
        free(said.text);
        free(said.command);
    }
    return list;
}
