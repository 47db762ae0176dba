/* A waiting job is changed: its queue, priority, what it asks for, how long it may run, when it may
 * begin, what it waits for. Everything is checked before anything changes. */
#include "common/clock.h"
#include "daemon/core/job_request.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/queues.h"

/* Of an array that has begun, the tasks to come may be changed in these only: tasks of it hold what
 * it asked for when they started. */
#define PARTS_OF_BEGUN ((unsigned)(JOB_EDIT_QUEUE | JOB_EDIT_PRIORITY | JOB_EDIT_LIMITS))

static int check_state(const struct job *job, unsigned parts, struct error *err)
{
    enum job_state state = job_state_of(job);
    if (state == JOB_STATE_PENDING)
        return 0;
    if (!job_is_array(job))
        return error_set(err, ERROR_CONFLICT, "cannot edit job %llu: it is %s",
                         (unsigned long long)job->id, job_state_word(state));
    if ((parts & ~PARTS_OF_BEGUN) == 0)
        return 0;
    return error_set(
        err, ERROR_CONFLICT,
        "cannot edit this of array %llu: tasks of it have started; its queue, "
        "priority, timeout, estimate, max_attempts, nice, io_priority and pids may still "
        "change",
        (unsigned long long)job->id);
}

static int check_queue(const struct engine *engine, const struct job *job,
                       const struct job_facts *facts, struct error *err)
{
    const struct named_queue *queue = engine_queue_find(engine, facts->queue);
    if (queue->number == job->queue || !queue->draining)
        return 0;
    return error_set(err, ERROR_DRAINING, "queue \"%.80s\" takes no new jobs: it is drained",
                     facts->queue);
}

/* What its tasks hold counts in the other queue from now on. */
static void move_runs(struct engine *engine, const struct job *job, uint8_t queue)
{
    for (struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        if (entry->status.id == job->id && entry->run != 0)
            entry->run = scheduler_move_run(engine->scheduler, entry->run, queue);
    }
}

void engine_apply_facts(struct engine *engine, struct job *job, const struct job_facts *facts)
{
    const struct resources wanted = job_facts_wanted(facts, &engine->options.names);
    int64_t now = clock_wall_us();
    struct array *array = arrays_live(engine, job->id);
    struct job changed = *job;
    changed.level = (unsigned)facts->priority & JOB_LEVEL_MASK;
    changed.queue = engine_queue_find(engine, facts->queue)->number;
    bool moved = changed.queue != job->queue;
    if (moved)
        move_runs(engine, job, changed.queue);
    engine_breaker_left(engine, job);
    engine_drop_estimate(engine, job);
    engine_estimate(engine, &changed, facts->name, facts->type, facts->estimate_us);
    jobset_change(engine->jobs, job, &changed, &wanted, now);
    if (array != NULL)
        array->memory_bytes = wanted.amount[RESOURCE_MEMORY];
    if (job->put_off && !facts->bound) {
        engine_clear_later(engine, job);
        engine_unblock(engine, job, JOB_LATER, now);
    }
    engine_unblock(engine, job, (enum job_block)0, now); /* it may fit now */
    engine_breaker_recheck(engine, job, now);
    if (moved)
        engine_part_moved(engine);
}

static void change_begin(struct engine *engine, struct job *job, int64_t begin_at)
{
    int64_t now = clock_wall_us();
    if (job_blocked_by(job, JOB_LATER)) {
        engine_clear_later(engine, job);
        jobset_set_since(engine->jobs, job, now, now);
        engine_unblock(engine, job, JOB_LATER, now);
    }
    if (begin_at > job->since && begin_at <= now)
        jobset_set_since(engine->jobs, job, begin_at, now);
    engine_watch_begin(engine, job, begin_at, now);
}

/* Since when it waits goes into the store too: what it waited for before is no longer there to say
 * it at the next start. */
static int write_condition(struct engine *engine, struct job *job, const struct job_facts *facts,
                           unsigned parts, struct error *err)
{
    struct condition condition;
    if (condition_rows_load(engine->db, job->id, &condition, err) < 0)
        return -1;
    if ((parts & JOB_EDIT_BEGIN) != 0) {
        /* It is in the place of the time of another attempt, too. */
        if (engine_lift_backoff(engine, job, clock_wall_us(), err) < 0)
            return -1;
        change_begin(engine, job, facts->begin_at);
        condition.begin_at = facts->begin_at;
    }
    if ((parts & JOB_EDIT_DEADLINE) != 0) {
        engine_change_deadline(engine, job->id, condition.deadline_at, facts->deadline_at);
        condition.deadline_at = facts->deadline_at;
    }
    if ((parts & (JOB_EDIT_BEGIN | JOB_EDIT_DEPENDS)) != 0)
        condition.released_at = job->since;
    return condition_rows_put(engine->db, &condition, err);
}

/* The row, and who of its old name or of its new one waits for whom. */
static int write_row(struct engine *engine, const struct job_facts *facts, unsigned parts,
                     struct error *err)
{
    struct job_row row;
    if ((parts & JOB_EDIT_NAME) == 0)
        return job_rows_rewrite(engine->db, facts, err);
    if (job_rows_load(engine->db, facts->id, &row, err) < 0)
        return -1;
    int result = job_rows_rewrite(engine->db, facts, err);
    if (result == 0)
        result = engine_renamed(engine, facts, row.facts.name, err);
    job_row_done(&row);
    return result;
}

static int write_changes(struct engine *engine, struct job *job, const struct job_facts *facts,
                         unsigned parts, struct error *err)
{
    int result = write_row(engine, facts, parts, err);
    if (result == 0 && (parts & (JOB_EDIT_BEGIN | JOB_EDIT_DEPENDS | JOB_EDIT_DEADLINE)) != 0)
        result = write_condition(engine, job, facts, parts, err);
    if (result < 0)
        engine_break(engine, err);
    return result;
}

int engine_edit(struct engine *engine, struct job_facts *facts, unsigned parts,
                struct dependency_path *ret_path, struct error *err)
{
    struct job *job = jobset_find(engine->jobs, facts->id);
    *ret_path = (struct dependency_path){.ids = NULL};
    if (job == NULL)
        return error_set(err, ERROR_CONFLICT, "cannot edit job %llu: it has already ended",
                         (unsigned long long)facts->id);
    if (check_state(job, parts, err) < 0 || check_queue(engine, job, facts, err) < 0 ||
        ((parts & JOB_EDIT_BEGIN) != 0 && engine_check_begin(facts, err) < 0) ||
        ((parts & JOB_EDIT_DEADLINE) != 0 &&
         engine_check_deadline(facts, clock_wall_us(), err) < 0) ||
        ((parts & JOB_EDIT_DEPENDS) != 0 &&
         engine_check_change(engine, facts, ret_path, err) < 0) ||
        ((parts & JOB_EDIT_NAME) != 0 &&
         engine_check_name(engine, facts, parts, ret_path, err) < 0))
        return -1;
    if ((parts & JOB_EDIT_DRY_RUN) != 0)
        return 0;
    if ((parts & JOB_EDIT_DEPENDS) != 0 && engine_set_depends(engine, facts, err) < 0)
        return -1;
    job = jobset_find(engine->jobs, facts->id); /* what it waits for now may have ended it */
    if (job == NULL)
        return 0;
    facts->edited_at = clock_wall_us();
    if (write_changes(engine, job, facts, parts, err) < 0)
        return -1;
    engine_apply_facts(engine, job, facts);
    const struct job_status status = {.id = job->id, .state = job_state_of(job)};
    engine_tell(engine, job, &status, BUS_EDITED);
    return 0;
}
