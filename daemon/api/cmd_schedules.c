/* io.batchd.Schedules.List {user} -> {schedules: [schedule]}
 * Add {name, at, timezone, overlap, catch_up, paused, job} -> {schedule}
 * Edit {name, user, at, timezone, overlap, catch_up, job: changes} -> {schedule}
 * Remove, Pause, Resume {name, user} -> {schedule}, as it is (was) then
 * Run {name, user} -> {id}
 * Next {name, user | at, timezone, count} -> {times: [{at, local}], timezone, paused,
 *   skipped_why} */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/api/schedule_job.h"
#include "daemon/api/schedule_view.h"
#include "daemon/api/submit_spec.h"
#include "daemon/api/users.h"
#include "daemon/engine/schedules.h"
#include "daemon/resources/zone.h"
#include "daemon/store/schedule_rows.h"

#include <string.h>

#define NEXT_MAX 1000
#define NEXT_DEFAULT 5

static void reply_schedule(struct api_call *call, const struct planned *planned)
{
    json_t *reply = json_object();
    json_put(reply, "schedule", view_schedule(call->api, planned));
    reply_done(call, reply);
}

static void reply_no_schedule(struct api_call *call, const char *name)
{
    json_t *extra = json_object();
    CLEANUP_FREE char *text = xasprintf("no schedule \"%.100s\"", name);
    json_put_text(extra, "name", name);
    reply_error(call, "NoSuchSchedule", extra, text, "batchctl cron list");
}

/* ---- which one ---- */

/* 1: the parameter user names *ret; 0: there is none; -1: it names nobody. */
static int get_user(const struct api_call *call, uint32_t *ret, struct error *err)
{
    const char *user = NULL;
    int found = json_get_string(call->params, "user", false, &user, err);
    if (found > 0 && users_find(call->api->users, user, ret) < 0)
        return error_set_field(err, "user", "no user \"%.60s\"", user);
    return found;
}

/* The one of this name, whoever has it: for those who may change all. */
static int find_anybodys(const struct api_call *call, const char *name, const struct planned **ret,
                         struct error *err)
{
    const struct engine *engine = call->api->engine;
    *ret = NULL;
    for (size_t i = 0; i < schedules_count(engine); i++) {
        const struct planned *planned = schedules_at(engine, i);
        if (strcmp(planned->facts.name, name) != 0)
            continue;
        if (*ret != NULL)
            return error_set_field(err, "user",
                                   "several users have a schedule \"%s\"; say whose (user)", name);
        *ret = planned;
    }
    return 0;
}

/* What the parameters name and user name; one's own first. NULL after replying. Another's answers
 * like one that is not there. */
static const struct planned *find_named(struct api_call *call)
{
    struct error err;
    const char *name = NULL;
    uint32_t uid = call->uid;
    int user = json_get_string(call->params, "name", true, &name, &err);
    if (user >= 0)
        user = get_user(call, &uid, &err);
    const struct planned *found = user < 0 ? NULL : schedules_find(call->api->engine, uid, name);
    if (user == 0 && found == NULL && access_all(call))
        user = find_anybodys(call, name, &found, &err);
    if (user < 0) {
        reply_failure(call, &err);
        return NULL;
    }
    if (found != NULL && access_job(call, found->facts.uid))
        return found;
    reply_no_schedule(call, name);
    return NULL;
}

/* ---- add, edit ---- */

static int get_settings(const json_t *params, struct schedule *schedule, struct error *err)
{
    const char *at = NULL;
    const char *zone = NULL;
    const char *overlap = NULL;
    const char *catch_up = NULL;
    if (json_get_string(params, "at", false, &at, err) < 0 ||
        json_get_string(params, "timezone", false, &zone, err) < 0 ||
        json_get_string(params, "overlap", false, &overlap, err) < 0 ||
        json_get_string(params, "catch_up", false, &catch_up, err) < 0 ||
        (overlap != NULL && schedule_overlap_parse(overlap, &schedule->overlap, err) < 0) ||
        (catch_up != NULL && schedule_catch_up_parse(catch_up, &schedule->catch_up, err) < 0))
        return -1;
    if (at != NULL) {
        free(schedule->at);
        schedule->at = xstrdup(at);
    }
    if (zone != NULL) {
        free(schedule->zone);
        schedule->zone = strcmp(zone, "local") == 0 ? NULL : xstrdup(zone);
    }
    return 0;
}

/* True after replying. */
static bool refuse_job(struct api_call *call, const struct schedule *schedule, const char *text)
{
    struct error err;
    struct job_facts facts = {0};
    if (schedule_job_decode(call->api, schedule, text, &facts, &err) < 0) {
        submit_refuse(call, &err, 0);
        return true;
    }
    bool refused = submit_refuse_job(call, &facts);
    job_facts_done(&facts);
    return refused;
}

/* Everything that a submit would refuse is refused now. 0, or -1 after replying. */
static int try_job(struct api_call *call, const struct schedule *schedule, const json_t *job,
                   char **ret_text)
{
    struct error err;
    CLEANUP_FREE char *text = json_to_text(job, NULL);
    if (schedule_job_check(job, &err) < 0) {
        submit_refuse(call, &err, 0);
        return -1;
    }
    if (refuse_job(call, schedule, text))
        return -1;
    *ret_text = TAKE_PTR(text);
    return 0;
}

/* Consumes *schedule; the reply shows what became of it. */
static void add(struct api_call *call, struct schedule *schedule, const json_t *job)
{
    struct error err;
    CLEANUP_FREE char *text = NULL;
    CLEANUP_FREE char *name = xstrdup(schedule->name);
    if (try_job(call, schedule, job, &text) < 0) {
        schedule_done(schedule);
        return;
    }
    if (schedules_add(call->api->engine, schedule, text, &err) < 0)
        submit_refuse(call, &err, 0);
    else
        reply_schedule(call, schedules_find(call->api->engine, call->uid, name));
}

static void run_add(struct api_call *call)
{
    struct schedule schedule = {.uid = call->uid, .gid = call->gid};
    struct error err;
    const char *name = NULL;
    const char *at = NULL; /* must be there */
    json_t *job = NULL;
    if (json_get_string(call->params, "name", true, &name, &err) < 0 ||
        schedule_check_name(name, &err) < 0 ||
        json_get_string(call->params, "at", true, &at, &err) < 0 ||
        json_get_bool(call->params, "paused", false, &schedule.paused, &err) < 0 ||
        json_get_object(call->params, "job", true, &job, &err) < 0 ||
        get_settings(call->params, &schedule, &err) < 0) {
        schedule_done(&schedule);
        reply_failure(call, &err);
        return;
    }
    schedule.name = xstrdup(name);
    add(call, &schedule, job);
}

/* The stored job with the changes; NULL after replying. */
static json_t *load_changed(struct api_call *call, const struct planned *planned,
                            const json_t *changes)
{
    struct error err;
    CLEANUP_FREE char *text =
        schedule_rows_load_job(engine_db(call->api->engine), planned->facts.id, &err);
    if (text == NULL) {
        reply_failure(call, &err);
        return NULL;
    }
    CLEANUP_JSON json_t *job = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    return schedule_job_changed(job, changes);
}

static void run_edit(struct api_call *call)
{
    struct error err;
    json_t *changes = NULL;
    CLEANUP_FREE char *text = NULL;
    const struct planned *planned = find_named(call);
    if (planned == NULL)
        return;
    struct schedule schedule = schedule_copy(&planned->facts);
    if (get_settings(call->params, &schedule, &err) < 0 ||
        json_get_object(call->params, "job", false, &changes, &err) < 0) {
        schedule_done(&schedule);
        reply_failure(call, &err);
        return;
    }
    CLEANUP_JSON json_t *job = changes == NULL ? NULL : load_changed(call, planned, changes);
    if (changes != NULL && (job == NULL || try_job(call, &schedule, job, &text) < 0)) {
        schedule_done(&schedule);
        return;
    }
    if (schedules_change(call->api->engine, &schedule, text, &err) < 0)
        submit_refuse(call, &err, 0);
    else
        reply_schedule(call, planned);
}

/* ---- the others ---- */

static void run_list(struct api_call *call)
{
    struct error err;
    uint32_t uid = call->uid;
    const struct engine *engine = call->api->engine;
    int user = get_user(call, &uid, &err);
    if (user > 0 && uid != call->uid && !access_all(call))
        user = error_set(&err, ERROR_DENIED, "you may list your own schedules only");
    if (user < 0) {
        reply_failure(call, &err);
        return;
    }
    bool all = user == 0 && access_all(call);
    json_t *schedules = json_array();
    for (size_t i = 0; i < schedules_count(engine); i++) {
        const struct planned *planned = schedules_at(engine, i);
        if (all || planned->facts.uid == uid)
            (void)json_array_append_new(schedules, view_schedule(call->api, planned));
    }
    json_t *reply = json_object();
    json_put(reply, "schedules", schedules);
    reply_done(call, reply);
}

static void run_remove(struct api_call *call)
{
    struct error err;
    const struct planned *planned = find_named(call);
    if (planned == NULL)
        return;
    json_t *reply = json_object();
    json_put(reply, "schedule", view_schedule(call->api, planned));
    if (schedules_remove(call->api->engine, planned, &err) == 0) {
        reply_done(call, reply);
        return;
    }
    json_decref(reply);
    reply_failure(call, &err);
}

static void set_paused(struct api_call *call, bool paused)
{
    struct error err;
    const struct planned *planned = find_named(call);
    if (planned == NULL)
        return;
    if (schedules_pause(call->api->engine, planned, paused, &err) < 0)
        reply_failure(call, &err);
    else
        reply_schedule(call, planned);
}

static void run_pause(struct api_call *call)
{
    set_paused(call, true);
}

static void run_resume(struct api_call *call)
{
    set_paused(call, false);
}

/* True after replying: the stored job is one that would be refused today. */
static bool refuse_stored(struct api_call *call, const struct planned *planned)
{
    struct error err;
    CLEANUP_FREE char *text =
        schedule_rows_load_job(engine_db(call->api->engine), planned->facts.id, &err);
    if (text != NULL)
        return refuse_job(call, &planned->facts, text);
    reply_failure(call, &err);
    return true;
}

static void run_run(struct api_call *call)
{
    struct error err;
    uint64_t id = 0;
    const struct planned *planned = find_named(call);
    if (planned == NULL || refuse_stored(call, planned))
        return;
    if (schedules_run(call->api->engine, planned, &id, &err) == 0) {
        json_t *reply = json_object();
        json_put_int(reply, "id", (int64_t)id);
        reply_done(call, reply);
    } else if (err.code == ERROR_CONFLICT) {
        json_t *extra = json_object();
        json_put_text(extra, "state", "running");
        json_put(extra, "allowed", json_array());
        reply_error(call, "InvalidState", extra, err.text, "batchctl cancel it, or wait for it");
    } else {
        submit_refuse(call, &err, 0);
    }
}

/* `facts` is NULL when it is no schedule's. */
static void reply_next(struct api_call *call, const struct cron_spec *spec, struct zone *zone,
                       int64_t count, const struct schedule *facts)
{
    bool skipped = facts != NULL && facts->skipped_at > facts->last_run_at;
    json_t *times = json_array();
    int64_t at = clock_wall_us() / US_PER_SECOND;
    while (count-- > 0 && (at = cron_next(spec, zone_span_at, zone, at)) != CRON_NEVER) {
        char local[ZONE_TIME_BYTES];
        json_t *one = json_object();
        zone_format(zone, at, local, sizeof(local));
        json_put_int(one, "at", at * US_PER_SECOND);
        json_put_text(one, "local", local);
        (void)json_array_append_new(times, one);
    }
    json_t *reply = json_object();
    json_put(reply, "times", times);
    json_put_text(reply, "timezone", zone_name(zone));
    json_put(reply, "paused", json_boolean(facts != NULL && facts->paused));
    json_put_text(reply, "skipped_why", skipped ? facts->skipped_why : NULL);
    reply_done(call, reply);
}

/* Of a specification that is tried out. */
static void next_of_text(struct api_call *call, const char *at, int64_t count)
{
    struct error err;
    struct cron_spec spec;
    const char *name = NULL;
    struct zone *zone = NULL;
    int read = json_get_string(call->params, "timezone", false, &name, &err);
    if (name != NULL && strcmp(name, "local") == 0)
        name = NULL;
    if (read >= 0 && cron_spec_parse(at, &spec, &err) == 0)
        zone = zone_new(name, &err);
    if (zone == NULL)
        reply_failure(call, &err);
    else
        reply_next(call, &spec, zone, count, NULL);
    zone_free(zone);
}

static void run_next(struct api_call *call)
{
    struct error err;
    const char *at = NULL;
    int64_t count = NEXT_DEFAULT;
    if (json_get_string(call->params, "at", false, &at, &err) < 0 ||
        json_get_int(call->params, "count", false, 1, NEXT_MAX, &count, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    if (at != NULL) {
        next_of_text(call, at, count);
        return;
    }
    const struct planned *planned = find_named(call);
    if (planned != NULL)
        reply_next(call, &planned->spec, planned->zone, count, &planned->facts);
}

static const char *const list_fields[] = {"user", NULL};
static const char *const add_fields[] = {"name",     "at",     "timezone", "overlap",
                                         "catch_up", "paused", "job",      NULL};
static const char *const edit_fields[] = {"name",    "user",     "at",  "timezone",
                                          "overlap", "catch_up", "job", NULL};
static const char *const named_fields[] = {"name", "user", NULL};
static const char *const next_fields[] = {"name", "user", "at", "timezone", "count", NULL};
const struct api_verb verb_schedules_list = {
    .method = "io.batchd.Schedules.List", .fields = list_fields, .run = run_list};
const struct api_verb verb_schedules_add = {
    .method = "io.batchd.Schedules.Add", .fields = add_fields, .large = true, .run = run_add};
const struct api_verb verb_schedules_edit = {
    .method = "io.batchd.Schedules.Edit", .fields = edit_fields, .large = true, .run = run_edit};
const struct api_verb verb_schedules_remove = {
    .method = "io.batchd.Schedules.Remove", .fields = named_fields, .run = run_remove};
const struct api_verb verb_schedules_pause = {
    .method = "io.batchd.Schedules.Pause", .fields = named_fields, .run = run_pause};
const struct api_verb verb_schedules_resume = {
    .method = "io.batchd.Schedules.Resume", .fields = named_fields, .run = run_resume};
const struct api_verb verb_schedules_run = {
    .method = "io.batchd.Schedules.Run", .fields = named_fields, .run = run_run};
const struct api_verb verb_schedules_next = {
    .method = "io.batchd.Schedules.Next", .fields = next_fields, .run = run_next};
