#include "daemon/engine/schedules.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/parse.h"
#include "daemon/core/cpu_layout.h"
#include "daemon/core/job_request.h"
#include "daemon/core/meters.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/schedule_runs.h"
#include "daemon/engine/schedule_turns.h"
#include "daemon/resources/disk.h"
#include "daemon/resources/zone.h"
#include "daemon/store/schedule_rows.h"

#include <stdlib.h>
#include <string.h>

/* A full disk is seldom empty a second later. */
#define AGAIN_US (10 * US_PER_SECOND)

struct schedules {
    struct planned **entries; /* owned; by user and name */
    size_t count;
    int64_t earliest;    /* before then none is due; INT64_MAX: there is none */
    int64_t newest_done; /* of all done_until */
    struct schedule_runs runs;
    schedule_job_fn job_fn;
    void *job_arg;
};

/* ---- the list ---- */

static struct schedules *list_of(const struct engine *engine)
{
    return engine->schedules;
}

void schedules_set_job_fn(struct engine *engine, schedule_job_fn call, void *arg)
{
    list_of(engine)->job_fn = call;
    list_of(engine)->job_arg = arg;
}

size_t schedules_count(const struct engine *engine)
{
    return list_of(engine)->count;
}

const struct planned *schedules_at(const struct engine *engine, size_t position)
{
    return list_of(engine)->entries[position];
}

static int compare(const struct planned *planned, uint32_t uid, const char *name)
{
    if (planned->facts.uid != uid)
        return planned->facts.uid < uid ? -1 : 1;
    return strcmp(planned->facts.name, name);
}

/* Where it is, or would be. */
static size_t place_of(const struct schedules *list, uint32_t uid, const char *name)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(list->entries[middle], uid, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct planned *find(const struct engine *engine, uint32_t uid, const char *name)
{
    const struct schedules *list = list_of(engine);
    size_t at = place_of(list, uid, name);
    return at < list->count && compare(list->entries[at], uid, name) == 0 ? list->entries[at]
                                                                          : NULL;
}

const struct planned *schedules_find(const struct engine *engine, uint32_t uid, const char *name)
{
    return find(engine, uid, name);
}

static void planned_free(struct planned *planned)
{
    schedule_done(&planned->facts);
    zone_free(planned->zone);
    free(planned);
}

static void insert(struct schedules *list, struct planned *planned)
{
    size_t at = place_of(list, planned->facts.uid, planned->facts.name);
    list->entries = xreallocarray(list->entries, list->count + 1, sizeof(struct planned *));
    memmove(list->entries + at + 1, list->entries + at,
            (list->count - at) * sizeof(struct planned *));
    list->entries[at] = planned;
    list->count++;
}

void schedules_free(struct engine *engine)
{
    struct schedules *list = list_of(engine);
    for (size_t i = 0; list != NULL && i < list->count; i++)
        planned_free(list->entries[i]);
    if (list != NULL) {
        schedule_runs_done(&list->runs);
        free(list->entries);
    }
    free(list);
}

/* ---- times ---- */

static void set_next(struct planned *planned)
{
    int64_t next = cron_next(&planned->spec, zone_span_at, planned->zone,
                             planned->facts.done_until / US_PER_SECOND);
    planned->next_at = next == CRON_NEVER ? INT64_MAX : next * US_PER_SECOND;
}

static int64_t due_at(const struct planned *planned)
{
    if (planned->facts.paused)
        return INT64_MAX;
    return planned->next_at > planned->not_before ? planned->next_at : planned->not_before;
}

/* After any change. */
static void refresh(struct schedules *list)
{
    list->earliest = INT64_MAX;
    list->newest_done = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct planned *planned = list->entries[i];
        if (due_at(planned) < list->earliest)
            list->earliest = due_at(planned);
        if (planned->facts.done_until > list->newest_done)
            list->newest_done = planned->facts.done_until;
    }
}

/* Takes over what *schedule holds, also when it fails. */
static struct planned *plan(struct schedule *schedule, struct error *err)
{
    struct planned *planned = xcalloc(1, sizeof(*planned));
    planned->facts = *schedule;
    *schedule = (struct schedule){0};
    if (cron_spec_parse(planned->facts.at, &planned->spec, err) == 0)
        planned->zone = zone_new(planned->facts.zone, err);
    if (planned->zone == NULL) {
        planned_free(planned);
        return NULL;
    }
    set_next(planned);
    return planned;
}

static int write_row(struct engine *engine, const struct planned *planned, struct error *err)
{
    if (schedule_rows_update(engine->db, &planned->facts, err) == 0)
        return 0;
    engine_break(engine, err);
    return -1;
}

/* ---- a run ---- */

static void add_run(struct schedules *list, struct job *job, uint64_t schedule)
{
    schedule_runs_add(&list->runs, job->id, schedule);
    job->scheduled = true;
}

static bool last_unfinished(const struct engine *engine, const struct planned *planned)
{
    return planned->facts.last_job != 0 &&
           jobset_find(engine->jobs, planned->facts.last_job) != NULL;
}

static void cancel_last(struct engine *engine, const struct planned *planned)
{
    enum job_state state;
    struct error err;
    CLEANUP_FREE char *reason =
        xasprintf("replaced by the next run of schedule %s", planned->facts.name);
    if (engine_cancel(engine, planned->facts.last_job, -1, reason, &state, &err) < 0)
        log_warning("schedule %s of uid %u: %s", planned->facts.name, planned->facts.uid, err.text);
}

/* The machine may have become smaller since the schedule was made: such jobs would pile up. What
 * comes and goes, GPUs and processors to be bound to, is waited for. */
static int check_fits(const struct engine *engine, const struct job_facts *facts, struct error *err)
{
    struct job_misfit misfit;
    struct resources total = scheduler_installed(engine->scheduler);
    total.amount[RESOURCE_BOUND] = cpu_list_count(&engine->options.cpus->usable);
    if (!job_never_fits(facts, &engine->options.names, &total, NULL, &misfit))
        return 0;
    return error_set(err, ERROR_LIMIT, "%s", misfit.text);
}

/* Submits the job. The run before is cancelled, if it is to be replaced, once this one was taken.
 */
static int submit(struct engine *engine, struct planned *planned, const char *key,
                  struct error *err)
{
    struct schedules *list = list_of(engine);
    struct job_facts facts = {0};
    uint64_t id = 0;
    const struct request_key run_key = {.uid = planned->facts.uid, .text = key};
    int existing = engine_find_key(engine, &run_key, &id, err);
    if (existing != 0) /* of a time that came before: its run is the older one */
        return existing < 0 ? -1 : 0;
    CLEANUP_FREE char *job = schedule_rows_load_job(engine->db, planned->facts.id, err);
    if (job == NULL || list->job_fn(list->job_arg, &planned->facts, job, &facts, err) < 0)
        return -1;
    free(facts.key);
    facts.key = xstrdup(key);
    int result = check_fits(engine, &facts, err);
    if (result == 0)
        result = engine_submit(engine, &facts, err);
    id = facts.id;
    job_facts_done(&facts);
    if (result < 0)
        return -1;
    if (planned->facts.overlap == OVERLAP_REPLACE && last_unfinished(engine, planned))
        cancel_last(engine, planned);
    struct job *run = jobset_find(engine->jobs, id);
    if (run != NULL) /* what it depends on may have ended it already */
        add_run(list, run, planned->facts.id);
    planned->facts.last_job = id;
    planned->facts.last_run_at = clock_wall_us();
    return 0;
}

static void skip(struct engine *engine, struct planned *planned, int64_t at,
                 enum meter_missed missed, char *why)
{
    engine->options.meters->missed[missed]++;
    log_info("schedule %s of uid %u: a run was skipped: %s", planned->facts.name,
             planned->facts.uid, why);
    free(planned->facts.skipped_why);
    planned->facts.skipped_why = why;
    planned->facts.skipped_at = at;
}

/* False: it is to be tried again. */
static bool make_run(struct engine *engine, struct planned *planned, int64_t at)
{
    struct error err;
    /* No client may use such a key (submit_spec.c). It finds a run that was made before the clock
     * was put back by much. */
    CLEANUP_FREE char *key = xasprintf("cron:%llu:%lld", (unsigned long long)planned->facts.id,
                                       (long long)(at / US_PER_SECOND));
    if (submit(engine, planned, key, &err) == 0) {
        const int64_t lag_us = clock_wall_us() - at;
        engine->options.meters->run_lag_us = lag_us > 0 ? lag_us : 0;
        return true;
    }
    if (err.code == ERROR_BUSY)
        return false;
    skip(engine, planned, at, METER_MISSED_REFUSED,
         xasprintf("it was not submitted: %s", err.text));
    return true;
}

/* The newest run that is due stands for all; whether it is made. */
static void decide(struct engine *engine, struct planned *planned, int64_t at, int64_t now)
{
    const struct schedule *facts = &planned->facts;
    struct error err;
    char late[24];
    if (now - at > SCHEDULE_LATE_US && facts->catch_up == CATCH_UP_NONE) {
        format_span((uint64_t)((now - at) / US_PER_MS / 1000 * 1000), late, sizeof(late));
        skip(engine, planned, at, METER_MISSED_LATE,
             xasprintf("batchd or the machine was not running: it came %s late", late));
    } else if (facts->overlap == OVERLAP_SKIP && last_unfinished(engine, planned)) {
        skip(engine, planned, at, METER_MISSED_OVERLAP,
             xasprintf("job %llu had not ended", (unsigned long long)facts->last_job));
    } else if (!make_run(engine, planned, at)) {
        planned->not_before = now + AGAIN_US;
        return;
    }
    planned->not_before = 0;
    planned->facts.done_until = at;
    set_next(planned);
    (void)write_row(engine, planned, &err);
}

static void look_at(struct engine *engine, struct planned *planned, int64_t now)
{
    struct error err;
    if (now < planned->facts.done_until - SCHEDULE_CORRECTION_US) {
        planned->facts.done_until = now;
        planned->not_before = 0;
        set_next(planned);
        (void)write_row(engine, planned, &err);
    }
    if (due_at(planned) > now)
        return;
    int64_t last = cron_last(&planned->spec, zone_span_at, planned->zone,
                             planned->facts.done_until / US_PER_SECOND, now / US_PER_SECOND);
    decide(engine, planned, last * US_PER_SECOND, now);
}

void schedules_due(struct engine *engine, int64_t now)
{
    struct schedules *list = list_of(engine);
    if (now < list->earliest && now >= list->newest_done - SCHEDULE_CORRECTION_US)
        return;
    for (size_t i = 0; i < list->count && !engine->broken; i++)
        look_at(engine, list->entries[i], now);
    refresh(list);
}

/* The schedule keeps it: its runs are removed after a while. A clock that was wrong does not count.
 */
static void note_end(struct engine *engine, struct planned *planned,
                     const struct job_status *status)
{
    struct error err;
    int64_t *known = status->state == JOB_STATE_COMPLETED ? &planned->facts.completed_at
                     : status->state == JOB_STATE_FAILED  ? &planned->facts.failed_at
                                                          : NULL;
    if (known == NULL || (status->ended_at <= *known && *known <= clock_wall_us()))
        return;
    *known = status->ended_at;
    if (!engine->broken)
        (void)write_row(engine, planned, &err);
}

void schedules_run_ended(struct engine *engine, const struct job *job,
                         const struct job_status *status)
{
    struct schedules *list = list_of(engine);
    const uint64_t schedule = job->scheduled ? schedule_runs_take(&list->runs, job->id) : 0;
    for (size_t i = 0; i < list->count && schedule != 0; i++) {
        if (list->entries[i]->facts.id == schedule)
            note_end(engine, list->entries[i], status);
    }
}

/* ---- changes ---- */

static size_t count_of(const struct schedules *list, uint32_t uid)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count += list->entries[i]->facts.uid == uid;
    return count;
}

static int check_new(const struct engine *engine, const struct schedule *schedule, const char *job,
                     struct error *err)
{
    uint64_t limit = engine->options.schedule_limit_per_user;
    size_t count = count_of(list_of(engine), schedule->uid);
    if (find(engine, schedule->uid, schedule->name) != NULL)
        return error_set_field(err, "name",
                               "name \"%s\" is taken by a schedule of yours; change that one with "
                               "batchctl cron edit",
                               schedule->name);
    if (count >= limit)
        return error_set_limit(err, count, limit,
                               "you have %zu schedules; the limit is %llu "
                               "(daemon.schedule_limit_per_user)",
                               count, (unsigned long long)limit);
    return disk_accept(engine->disk, strlen(job), err);
}

int schedules_add(struct engine *engine, struct schedule *schedule, const char *job,
                  struct error *err)
{
    schedule->created_at = schedule->done_until = clock_wall_us();
    if (check_new(engine, schedule, job, err) < 0) {
        schedule_done(schedule);
        return -1;
    }
    struct planned *planned = plan(schedule, err);
    if (planned == NULL)
        return -1;
    if (schedule_rows_insert(engine->db, &planned->facts, job, err) < 0) {
        engine_break(engine, err);
        planned_free(planned);
        return -1;
    }
    insert(list_of(engine), planned);
    refresh(list_of(engine));
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

int schedules_change(struct engine *engine, struct schedule *schedule, const char *job,
                     struct error *err)
{
    struct planned *old = find(engine, schedule->uid, schedule->name);
    if (!same_text(schedule->at, old->facts.at) || !same_text(schedule->zone, old->facts.zone))
        schedule->done_until = clock_wall_us();
    struct planned *planned = plan(schedule, err);
    if (planned == NULL)
        return -1;
    if (job != NULL && disk_accept(engine->disk, strlen(job), err) < 0) {
        planned_free(planned);
        return -1;
    }
    struct planned passed = *old; /* the entry keeps its address */
    *old = *planned;
    *planned = passed;
    planned_free(planned);
    if (job != NULL && schedule_rows_set_job(engine->db, old->facts.id, job, err) < 0) {
        engine_break(engine, err);
        return -1;
    }
    refresh(list_of(engine));
    return write_row(engine, old, err);
}

int schedules_pause(struct engine *engine, const struct planned *planned, bool paused,
                    struct error *err)
{
    struct planned *mine = find(engine, planned->facts.uid, planned->facts.name);
    if (mine->facts.paused == paused)
        return 0;
    if (!paused) {
        struct zone *zone = zone_new(mine->facts.zone, err); /* it may have been missing */
        if (zone == NULL)
            return -1;
        zone_free(mine->zone);
        mine->zone = zone;
        mine->facts.done_until = clock_wall_us();
    }
    mine->facts.paused = paused;
    mine->not_before = 0;
    set_next(mine);
    refresh(list_of(engine));
    return write_row(engine, mine, err);
}

int schedules_remove(struct engine *engine, const struct planned *planned, struct error *err)
{
    struct schedules *list = list_of(engine);
    size_t at = place_of(list, planned->facts.uid, planned->facts.name);
    struct planned *mine = list->entries[at];
    if (schedule_rows_delete(engine->db, mine->facts.id, err) < 0) {
        engine_break(engine, err);
        return -1;
    }
    list->count--;
    memmove(list->entries + at, list->entries + at + 1,
            (list->count - at) * sizeof(struct planned *));
    planned_free(mine);
    refresh(list);
    return 0;
}

int schedules_run(struct engine *engine, const struct planned *planned, uint64_t *ret_job,
                  struct error *err)
{
    struct planned *mine = find(engine, planned->facts.uid, planned->facts.name);
    if (mine->facts.overlap == OVERLAP_SKIP && last_unfinished(engine, mine))
        return error_set(err, ERROR_CONFLICT,
                         "schedule %s skips a run while the one before, job %llu, has not ended",
                         mine->facts.name, (unsigned long long)mine->facts.last_job);
    if (submit(engine, mine, NULL, err) < 0)
        return -1;
    *ret_job = mine->facts.last_job;
    return write_row(engine, mine, err);
}

/* ---- the start ---- */

struct loading {
    struct schedules *list;
    struct error *err;
    bool failed;
};

/* A zone that left the system's database is no reason for the daemon not to start. */
static void do_without_zone(struct planned *planned, const struct error *err)
{
    log_error("schedule %s of uid %u is paused: %s", planned->facts.name, planned->facts.uid,
              err->text);
    planned->zone = zone_new("UTC", NULL);
    planned->facts.paused = true;
}

static void add_loaded(void *arg, struct schedule *schedule)
{
    struct loading *loading = arg;
    struct error err;
    struct planned *planned = xcalloc(1, sizeof(*planned));
    planned->facts = *schedule;
    insert(loading->list, planned);
    if (cron_spec_parse(planned->facts.at, &planned->spec, loading->err) < 0) {
        loading->failed = true;
        return;
    }
    planned->zone = zone_new(planned->facts.zone, &err);
    if (planned->zone == NULL)
        do_without_zone(planned, &err);
    set_next(planned);
}

/* "cron:SCHEDULE:SECONDS" (make_run); 0: it is none. */
static uint64_t schedule_of_key(const char *key)
{
    static const char begin[] = "cron:";
    if (key == NULL || strncmp(key, begin, sizeof(begin) - 1) != 0)
        return 0;
    return strtoull(key + sizeof(begin) - 1, NULL, 10);
}

void schedules_found(struct engine *engine, struct job *job, const char *key)
{
    const uint64_t schedule = schedule_of_key(key);
    if (schedule != 0)
        add_run(list_of(engine), job, schedule);
}

/* One by hand has no key; only the newest is known. */
void schedules_found_all(struct engine *engine)
{
    struct schedules *list = list_of(engine);
    for (size_t i = 0; i < list->count; i++) {
        struct job *job = jobset_find(engine->jobs, list->entries[i]->facts.last_job);
        if (job != NULL && !job->scheduled)
            add_run(list, job, list->entries[i]->facts.id);
    }
    schedule_runs_sort(&list->runs);
}

int schedules_load(struct engine *engine, struct error *err)
{
    struct loading loading = {.list = xcalloc(1, sizeof(struct schedules)), .err = err};
    engine->schedules = loading.list;
    if (schedule_rows_each(engine->db, add_loaded, &loading, err) < 0 || loading.failed)
        return -1;
    refresh(loading.list);
    return 0;
}
