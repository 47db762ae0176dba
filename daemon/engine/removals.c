/* Jobs that go (removal.h): which, and when what is left of them does. */
#include "daemon/engine/removal.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/timers.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/store/removal_rows.h"

#include <inttypes.h>

#define WHOLE (-1)
/* Rows that are read at a time, and for how long they are gone through. */
#define JOBS_A_PART 256U
#define PART_US (2 * US_PER_MS)
/* Between two parts of a walk that nobody waits for. */
#define PART_PAUSE_MS 10
/* So often a walk begins, or several times within the shortest age. */
#define WALK_MS_MAX 3600000
#define WALKS_AN_AGE 4
#define WALK_MS_MIN 250
#define FIRST_WALK_MS 60000

/* ---- one job ---- */

static bool is_awaited(const struct engine *engine, uint64_t id)
{
    return dependency_graph_awaited(engine->waits, id, WHOLE) ||
           dependency_graph_first_of_tasks(engine->waits, id) != NULL ||
           array_links_awaited(&engine->links, id) != NULL;
}

static bool goes(const struct removal_rule *rule, const struct stored_job *job)
{
    return job_state_terminal(job->state) && job->ended_at < rule->ended_before[job->state] &&
           (rule->all_users || job->uid == rule->uid);
}

/* A job that the rule names. */
static int remove_job(struct use_note *note, const struct stored_job *job,
                      struct removal_walk *walk, struct error *err)
{
    const struct use_listener listener = {engine_note_use, note};
    struct engine *engine = note->engine;
    if (is_awaited(engine, job->id)) {
        walk->kept++;
        return 0;
    }
    if (walk->rule.dry_run) {
        walk->removed++;
        return 0;
    }
    int result = removal_rows_begin(engine->db, job, &listener, err);
    if (result < 0 && err->code == ERROR_DAMAGED) { /* nothing of it has changed */
        log_error("job %" PRIu64 " is not removed: %s", job->id, err->text);
        return 0;
    }
    if (result < 0) {
        engine_break(engine, err);
        return -1;
    }
    walk->removed++;
    engine->removals.files_left = engine->removals.files_again = true;
    engine->removals.rows_left = engine->removals.rows_left || job->parts;
    return 0;
}

int engine_remove_one(struct engine *engine, uint64_t id, struct removal_walk *walk,
                      struct error *err)
{
    struct stored_job job = {.id = 0};
    struct use_note note = {.engine = engine};
    int found = removal_rows_jobs(engine->db, id - 1, &job, 1, err);
    if (found < 0)
        return -1;
    int result = job.id == id && goes(&walk->rule, &job) ? remove_job(&note, &job, walk, err) : 0;
    engine_write_use(&note);
    return result;
}

/* ---- many ---- */

/* No job can have ended before it was submitted, and ids are given in the order of submits: behind
 * jobs that are all too new nothing goes. What a clock that was wrong put into the future says
 * nothing. */
static bool all_new(const struct removal_rule *rule, const struct stored_job *jobs, size_t count)
{
    int64_t bound = 0;
    int64_t now = clock_wall_us();
    bool some = false;
    for (unsigned state = 0; state < JOB_STATE_COUNT; state++)
        bound = rule->ended_before[state] > bound ? rule->ended_before[state] : bound;
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].submitted_at < bound)
            return false;
        some = some || jobs[i].submitted_at <= now;
    }
    return some;
}

int engine_remove_some(struct engine *engine, struct removal_walk *walk, struct error *err)
{
    struct stored_job jobs[JOBS_A_PART];
    struct use_note note = {.engine = engine};
    int64_t until = clock_monotonic_us() + PART_US;
    int found = removal_rows_jobs(engine->db, walk->after, jobs, JOBS_A_PART, err);
    if (found < 0)
        return -1;
    size_t count = (size_t)found;
    if (count == 0 || all_new(&walk->rule, jobs, count))
        return 0;
    size_t at = 0;
    for (; at < count && (at == 0 || clock_monotonic_us() < until); at++) {
        if (goes(&walk->rule, &jobs[at]) && remove_job(&note, &jobs[at], walk, err) < 0)
            return -1;
        walk->after = jobs[at].id;
    }
    engine_write_use(&note);
    return at == count && count < JOBS_A_PART ? 0 : 1;
}

/* ---- by the configuration ---- */

bool engine_retention(const struct engine *engine, int64_t now, struct removal_rule *ret)
{
    bool any = false;
    *ret = (struct removal_rule){.all_users = true};
    for (unsigned state = 0; state < JOB_STATE_COUNT; state++) {
        int64_t age = engine->options.retention_us[state];
        ret->ended_before[state] = age > 0 ? now - age : 0;
        any = any || age > 0;
    }
    return any;
}

static uint64_t walk_ms(const struct engine *engine)
{
    uint64_t ms = WALK_MS_MAX;
    for (unsigned state = 0; state < JOB_STATE_COUNT; state++) {
        uint64_t age = (uint64_t)engine->options.retention_us[state] / US_PER_MS / WALKS_AN_AGE;
        ms = engine->options.retention_us[state] > 0 && age < ms ? age : ms;
    }
    return ms > WALK_MS_MIN ? ms : WALK_MS_MIN;
}

static void end_walk(struct engine *engine)
{
    struct removals *removals = &engine->removals;
    removals->walking = false;
    if (removals->walk.removed > 0)
        log_info("%" PRIu64 " jobs that ended long ago were removed ([retention])",
                 removals->walk.removed);
    timer_set(removals->timer, walk_ms(engine));
}

static void on_timer(void *arg)
{
    struct engine *engine = arg;
    struct removals *removals = &engine->removals;
    struct error err;
    if (!removals->walking) {
        removals->walk = (struct removal_walk){.after = 0};
        removals->walking = engine_retention(engine, clock_wall_us(), &removals->walk.rule);
        removals->files_left = removals->files_again = true; /* what failed is tried again */
    }
    int more = removals->walking ? engine_remove_some(engine, &removals->walk, &err) : 0;
    if (more < 0)
        engine_break(engine, &err);
    else if (more > 0)
        timer_set(removals->timer, PART_PAUSE_MS);
    else
        end_walk(engine);
}

void removals_begin(struct engine *engine, struct event_base *base)
{
    uint64_t first = walk_ms(engine);
    engine->removals.timer = timer_new(base, on_timer, engine);
    engine->removals.rows_left = engine->removals.files_left = true; /* of an earlier daemon */
    timer_set(engine->removals.timer, first < FIRST_WALK_MS ? first : FIRST_WALK_MS);
}

void removals_free(struct engine *engine)
{
    timer_free(engine->removals.timer);
}

/* ---- what is left of them ---- */

static int ask_for_files(struct engine *engine, struct error *err)
{
    struct removals *removals = &engine->removals;
    struct job_folders folders = {.count = 0};
    int found =
        removal_rows_files(engine->db, removals->asked_after, folders.ids, JOB_FOLDERS_MAX, err);
    if (found < 0)
        return -1;
    folders.count = (uint32_t)found;
    if (found > 0) {
        removals->asked = true;
        pool_remove_jobs(engine->pool, &folders); /* it is told after the commit */
        return 0;
    }
    removals->files_left = removals->files_again;
    removals->files_again = false;
    removals->asked_after = 0;
    return 0;
}

void removals_go_on(struct engine *engine)
{
    struct removals *removals = &engine->removals;
    struct error err;
    int more = 0;
    if (engine->broken)
        return;
    if (removals->rows_left) {
        struct use_note note = {.engine = engine};
        const struct use_listener listener = {engine_note_use, &note};
        more = removal_rows_part(engine->db, &listener, &err);
        engine_write_use(&note);
        removals->rows_left = more > 0;
        if (more > 0)
            removals->files_left = removals->files_again = true;
    }
    if (more < 0 || (removals->files_left && !removals->asked && ask_for_files(engine, &err) < 0))
        engine_break(engine, &err);
}

bool removals_unfinished(const struct engine *engine)
{
    const struct removals *removals = &engine->removals;
    return removals->rows_left || (removals->files_left && !removals->asked);
}

void removals_on_folders(struct engine *engine, const struct job_folders *folders)
{
    struct removals *removals = &engine->removals;
    struct error err;
    removals->asked = false;
    for (uint32_t i = 0; i < folders->count && !engine->broken; i++) {
        uint64_t bit = UINT64_C(1) << i;
        if ((folders->removed & bit) != 0 &&
            removal_rows_end(engine->db, folders->ids[i], &err) < 0)
            engine_break(engine, &err);
        if (((folders->removed | folders->failed) & bit) != 0)
            removals->asked_after = folders->ids[i];
    }
}
