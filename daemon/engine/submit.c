/* New jobs: the client's key, the quota, the disk, the row, the queue. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/core/job_request.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/queues.h"
#include "daemon/engine/submit.h"
#include "daemon/engine/values.h"
#include "daemon/resources/disk.h"
#include "daemon/store/dependency_rows.h"
#include "daemon/store/array_rows.h"
#include "daemon/store/retry_rows.h"

#include <string.h>

/* The promise behind a client key: the same user and key is the same job, if it was asked for the
 * same. Of a job of before schema 5, and of a schedule's run, nobody knows: the key decides. */
int engine_find_key(struct engine *engine, const struct request_key *key, uint64_t *ret_id,
                    struct error *err)
{
    struct job_row row;
    *ret_id = 0;
    if (job_rows_find_key(engine->db, key->uid, key->text, ret_id, err) < 0)
        return -1;
    if (*ret_id == 0)
        return 0;
    if (job_rows_load(engine->db, *ret_id, &row, err) < 0)
        return -1;
    bool same = key->digest == NULL || row.facts.digest == NULL ||
                strcmp(key->digest, row.facts.digest) == 0;
    job_row_done(&row);
    if (same)
        return 1;
    return error_set(err, ERROR_CONFLICT, "key \"%.80s\" belongs to job %llu, which is another",
                     key->text, (unsigned long long)*ret_id);
}

int engine_find_unique(struct engine *engine, const struct job_facts *facts, uint64_t *ret_id,
                       struct error *err)
{
    *ret_id = 0;
    return facts->unique == NULL
               ? 0
               : job_rows_find_unique(engine->db, facts->uid, facts->unique, ret_id, err);
}

static int refuse_second(struct engine *engine, const struct job_facts *facts, struct error *err)
{
    uint64_t id;
    if (engine_find_unique(engine, facts, &id, err) < 0)
        return -1;
    if (id == 0)
        return 0;
    return error_set(err, ERROR_CONFLICT, "job %llu, which is unique by \"%.80s\", has not ended",
                     (unsigned long long)id, facts->unique);
}

/* The row is there: the job begins to wait. */
static void add_submitted(struct engine *engine, const struct job_facts *facts)
{
    struct job job = {.id = facts->id,
                      .since = facts->submitted_at,
                      .uid = facts->uid,
                      .queue = engine_queue_find(engine, facts->queue)->number,
                      .level = (unsigned)facts->priority & JOB_LEVEL_MASK};
    const struct resources wanted = job_facts_wanted(facts, &engine->options.names);
    const struct job_status status = {
        .id = facts->id, .state = JOB_STATE_PENDING, .outcome = {.exit_code = -1}};
    enum jobset_kind kind = facts->array == NULL ? JOBSET_PLAIN : JOBSET_ARRAY;
    engine_estimate(engine, &job, facts->name, facts->type, facts->estimate_us);
    struct job *mine =
        jobset_add(engine->jobs, &job, &wanted, kind, JOB_STATE_PENDING, facts->submitted_at);
    if (facts->array != NULL) {
        engine_count_tasks(engine, mine->id, facts->array, 0);
        jobset_queue(engine->jobs, mine, true, facts->submitted_at);
    }
    if (facts->hold || facts->begin_at > 0 || facts->deadline_at > 0) {
        const struct condition condition = {.job = facts->id,
                                            .hold = facts->hold,
                                            .held = facts->hold,
                                            .begin_at = facts->begin_at,
                                            .deadline_at = facts->deadline_at};
        struct error err;
        if (condition_rows_put(engine->db, &condition, &err) < 0)
            engine_break(engine, &err);
        engine_apply_condition(engine, &condition, facts->submitted_at);
    }
    engine_count_submit(engine, facts);
    (void)engine_breaker_admits(engine, mine);
    engine_tell(engine, mine, &status, BUS_SUBMITTED);
    engine_add_depends(engine, facts);
}

/* Numbers of seven columns and their sum. */
#define DEPENDENCY_ROW_BYTES 40U

static uint64_t text_bytes(const char *text)
{
    return text == NULL ? 0 : strlen(text);
}

/* What the row takes, roughly. */
static uint64_t row_bytes(const struct job_facts *facts)
{
    return facts->run_bytes + text_bytes(facts->name) + text_bytes(facts->tags) +
           text_bytes(facts->key) + text_bytes(facts->unique) + text_bytes(facts->array) +
           text_bytes(facts->counters) + facts->depends.count * DEPENDENCY_ROW_BYTES;
}

/* What has tables of its own and only some jobs have. */
static int insert_rest(struct engine *engine, const struct job_facts *facts, struct error *err)
{
    const struct array_options options = {
        .job = facts->id, .max_fails = facts->max_fails, .value_set = facts->value_set};
    if ((options.max_fails.kind != FAILS_ANY || options.value_set != 0) &&
        array_rows_insert(engine->db, &options, err) < 0)
        return -1;
    engine_values_keep(engine, facts->value_set);
    return facts->retry_of == 0 ? 0
                                : retry_rows_insert(engine->db, facts->id, facts->retry_of, err);
}

/* `more` are submitted with it, before it. */
static int check_quota(const struct engine *engine, uint32_t uid, size_t more, struct error *err)
{
    size_t waiting = jobset_waiting_of(engine->jobs, uid) + more;
    uint64_t limit = engine->options.queue_limit_per_user;
    if (waiting < limit)
        return 0;
    return error_set_limit(err, waiting, limit,
                           "%zu jobs of yours are waiting; the limit is %llu "
                           "(daemon.queue_limit_per_user)",
                           waiting, (unsigned long long)limit);
}

static int check(struct engine *engine, const struct job_facts *facts, size_t more,
                 struct error *err)
{
    if (engine_queue_find(engine, facts->queue)->draining)
        return error_set(err, ERROR_DRAINING, "queue \"%.80s\" takes no new jobs: it is drained",
                         facts->queue);
    if (check_quota(engine, facts->uid, more, err) < 0 || refuse_second(engine, facts, err) < 0 ||
        engine_check_deadline(facts, clock_wall_us(), err) < 0)
        return -1;
    return engine_check_depends(engine, facts, err);
}

int engine_check_submit(struct engine *engine, const struct job_facts *facts, struct error *err)
{
    return check(engine, facts, 0, err) < 0 ? -1 : disk_accept(engine->disk, 0, err);
}

static int insert(struct engine *engine, struct job_facts *facts, struct error *err)
{
    facts->submitted_at = clock_wall_us();
    if (job_rows_insert(engine->db, facts, err) < 0 || insert_rest(engine, facts, err) < 0) {
        engine_break(engine, err);
        return -1;
    }
    add_submitted(engine, facts);
    return 0;
}

int engine_submit(struct engine *engine, struct job_facts *facts, struct error *err)
{
    if (engine_check_submit(engine, facts, err) < 0 ||
        disk_accept(engine->disk, row_bytes(facts), err) < 0)
        return -1;
    return insert(engine, facts, err);
}

/* ---- several at once ---- */

int engine_check_jobs(struct engine *engine, const struct job_facts *jobs, size_t count,
                      size_t *ret_at, struct error *err)
{
    for (*ret_at = 0; *ret_at < count; (*ret_at)++) {
        if (check(engine, &jobs[*ret_at], *ret_at, err) < 0 ||
            engine_check_siblings(jobs, *ret_at, err) < 0)
            return -1;
    }
    return disk_accept(engine->disk, 0, err);
}

/* Those that it waits for stand before it and have ids by now. */
static void name_siblings(const struct job_facts *jobs, struct job_facts *facts)
{
    for (size_t i = 0; i < facts->depends.count; i++) {
        struct dependency *what = &facts->depends.items[i];
        if (what->parent >= DEPENDENCY_SIBLING)
            what->parent = jobs[what->parent - DEPENDENCY_SIBLING].id;
    }
}

/* After the checks nothing is refused any more: what fails here breaks the engine, so that nothing
 * of the turn is committed, and there is none of the jobs. */
int engine_submit_jobs(struct engine *engine, struct job_facts *jobs, size_t count, size_t *ret_at,
                       struct error *err)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += row_bytes(&jobs[i]);
    if (engine_check_jobs(engine, jobs, count, ret_at, err) < 0 ||
        disk_accept(engine->disk, bytes, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        name_siblings(jobs, &jobs[i]);
        if (insert(engine, &jobs[i], err) < 0)
            return -1;
        if (jobs[i].id == jobs[0].id + i && !engine->broken)
            continue;
        (void)error_set(err, ERROR_INTERNAL, "the ids of jobs submitted together have a gap");
        engine_break(engine, err);
        return -1;
    }
    return 0;
}
