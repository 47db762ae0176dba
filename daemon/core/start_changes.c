#include "daemon/core/start_changes.h"

#include "common/alloc.h"
#include "common/clock.h"

#include <stdlib.h>

/* So many amounts are tried one by one, then more and more at once. */
#define STEPS_ONE_BY_ONE 64U
/* Ten years: what is expected to run longer, or nobody knows how long, is not to be told apart. */
#define ESTIMATE_MOST_MS INT64_C(315360000000)
/* Of dependencies of which one is enough so many are tried. */
#define DEPENDENCIES_TRIED 20U

/* What a round started, to be undone. */
struct started {
    struct job *job;
    uint64_t run;
};

struct trial {
    struct start_state state;
    struct job *job;
    struct scheduler_mark *mark; /* of the state as it is; owned */
    struct started *started;     /* owned */
    size_t count, room;
};

/* ---- one round, and back ---- */

static void note(struct trial *trial, struct job *job)
{
    const struct start_state *state = &trial->state;
    if (trial->count == trial->room) {
        trial->room = trial->room == 0 ? 16 : trial->room * 2;
        trial->started = xreallocarray(trial->started, trial->room, sizeof(*trial->started));
    }
    trial->started[trial->count++] =
        (struct started){job, scheduler_run(state->scheduler, job, state->now)};
}

static void leave_queue(const struct start_state *state, struct job *job)
{
    struct task_count *count = job_is_array(job) ? task_counts_find(state->arrays, job->id) : NULL;
    if (count != NULL) {
        count->waiting--;
        count->running++;
    }
    if (count == NULL || task_count_startable(count) == 0)
        scheduler_unqueue(state->scheduler, job);
}

static void undo(struct trial *trial)
{
    const struct start_state *state = &trial->state;
    while (trial->count > 0) {
        const struct started *one = &trial->started[--trial->count];
        struct task_count *count =
            job_is_array(one->job) ? task_counts_find(state->arrays, one->job->id) : NULL;
        scheduler_end(state->scheduler, one->run, state->now);
        if (count != NULL) {
            count->waiting++;
            count->running--;
        }
        scheduler_queue(state->scheduler, one->job, state->now);
    }
}

static bool starts(struct trial *trial)
{
    const struct start_state *state = &trial->state;
    struct job *job = NULL;
    scheduler_begin(state->scheduler, state->now);
    while (job != trial->job && state->running + trial->count < state->workers &&
           (job = scheduler_next(state->scheduler)) != NULL) {
        note(trial, job);
        leave_queue(state, job);
    }
    bool found = trial->count > 0 && trial->started[trial->count - 1].job == trial->job;
    undo(trial);
    return found;
}

/* ---- amounts ---- */

/* Makes the change, has a round, and undoes the change. */
typedef bool (*try_fn)(struct trial *trial, const struct start_change *change);

static bool works(struct trial *trial, try_fn attempt, const struct start_change *change)
{
    bool found = attempt(trial, change);
    scheduler_put_back(trial->state.scheduler, trial->mark);
    return found;
}

static bool works_with(struct trial *trial, try_fn attempt, struct start_change *change,
                       uint64_t amount)
{
    change->amount = amount;
    return works(trial, attempt, change);
}

/* One that works, while one less does not: `fails` does not, `reached` does. */
static uint64_t boundary(struct trial *trial, try_fn attempt, struct start_change *change,
                         uint64_t fails, uint64_t reached)
{
    while (reached - fails > 1) {
        uint64_t middle = fails + (reached - fails) / 2;
        if (works_with(trial, attempt, change, middle))
            reached = middle;
        else
            fails = middle;
    }
    return reached;
}

/* The least from `low` to `high` that works, while amounts are tried one by one; beyond that one of
 * which one less does not. 0: none was found. That low - 1 does not work is known. */
static uint64_t least(struct trial *trial, try_fn attempt, struct start_change *change,
                      uint64_t low, uint64_t high)
{
    uint64_t fails = low - 1;
    while (fails < high) {
        uint64_t tried = fails + 1 - low; /* so many so far, when one by one */
        uint64_t step = tried < STEPS_ONE_BY_ONE ? 1 : tried;
        uint64_t next = high - fails > step ? fails + step : high;
        if (works_with(trial, attempt, change, next))
            return boundary(trial, attempt, change, fails, next);
        fails = next;
    }
    return 0;
}

/* ---- the changes ---- */

/* What the found ones are put into. */
struct finding {
    struct start_change *list;
    size_t count;
};

static void add(struct finding *finding, const struct start_change *change)
{
    if (finding->count < START_CHANGES_MAX)
        finding->list[finding->count++] = *change;
}

/* It counts as waiting from now on, as after a release, its begin or the end of what it waited for.
 */
static bool starts_without(struct trial *trial, enum job_block block)
{
    const struct start_state *state = &trial->state;
    struct job *job = trial->job;
    int64_t since = job->since;
    if ((job->packed & JOB_BLOCKS) != (unsigned)block)
        return false;
    jobset_set_since(state->jobs, job, state->now, state->now);
    jobset_unblock(state->jobs, job, block, state->now);
    if (job_is_array(job)) {
        const struct task_count *count = task_counts_find(state->arrays, job->id);
        jobset_queue(state->jobs, job, count != NULL && task_count_startable(count) > 0,
                     state->now);
    }
    bool found = starts(trial);
    jobset_block(state->jobs, job, block);
    job->since = since;
    return found;
}

static bool try_release(struct trial *trial, const struct start_change *change)
{
    (void)change;
    return starts_without(trial, JOB_HELD);
}

static bool try_begin(struct trial *trial, const struct start_change *change)
{
    struct alarms *begins = trial->state.begins;
    (void)change;
    if (!job_blocked_by(trial->job, JOB_LATER) || !alarms_have(begins, trial->job))
        return false;
    int64_t at = begins->entries[trial->job->alarm_at].at;
    alarms_clear(begins, trial->job); /* in its queue it may have another alarm */
    bool found = starts_without(trial, JOB_LATER);
    alarms_set(begins, trial->job, at);
    return found;
}

static bool try_dependency(struct trial *trial, const struct start_change *change)
{
    (void)change;
    return starts_without(trial, JOB_DEPENDS);
}

static bool try_resume(struct trial *trial, const struct start_change *change)
{
    struct scheduler *scheduler = trial->state.scheduler;
    uint8_t queue = trial->job->queue;
    (void)change;
    if (!queue_paused(scheduler_queue_at(scheduler, queue)))
        return false;
    scheduler_pause_queue(scheduler, queue, false);
    bool found = starts(trial);
    scheduler_pause_queue(scheduler, queue, true);
    return found;
}

/* One that there is or is not. */
static void find_plain(struct trial *trial, struct finding *finding, enum start_change_kind kind,
                       try_fn attempt)
{
    const struct start_change change = {.kind = kind};
    if (works(trial, attempt, &change))
        add(finding, &change);
}

/* Where one is enough, each of them; else the only one that is open. */
static void find_dependency(struct trial *trial, struct finding *finding)
{
    struct start_change change = {.kind = CHANGE_DEPENDENCY};
    const struct dependency_edge *edge =
        trial->state.waits == NULL ? NULL
                                   : dependency_graph_first_of(trial->state.waits, trial->job->id);
    bool single = edge != NULL && edge->next_of_child == NULL;
    if (edge == NULL || !(single || edge->any) || !works(trial, try_dependency, &change))
        return;
    for (unsigned i = 0; edge != NULL && i < DEPENDENCIES_TRIED; edge = edge->next_of_child, i++) {
        change.dependency = edge->what;
        add(finding, &change);
    }
}

static bool try_array_limit(struct trial *trial, const struct start_change *change)
{
    const struct start_state *state = &trial->state;
    struct task_count *count = task_counts_find(state->arrays, trial->job->id);
    count->limit += change->amount;
    jobset_queue(state->jobs, trial->job, task_count_startable(count) > 0, state->now);
    bool found = starts(trial);
    count->limit -= change->amount;
    jobset_queue(state->jobs, trial->job, task_count_startable(count) > 0, state->now);
    return found;
}

static void find_array_limit(struct trial *trial, struct finding *finding)
{
    struct start_change change = {.kind = CHANGE_ARRAY_LIMIT};
    const struct task_count *count = task_counts_find(trial->state.arrays, trial->job->id);
    if (!job_is_array(trial->job) || count == NULL || count->limit == 0 || count->waiting == 0 ||
        count->running < count->limit)
        return;
    /* With less than what makes room for one nothing changes. */
    change.amount = count->running - count->limit + 1;
    if (works(trial, try_array_limit, &change))
        add(finding, &change);
}

static bool starts_with(struct trial *trial, const struct queue_settings *settings)
{
    struct scheduler *scheduler = trial->state.scheduler;
    uint8_t number = trial->job->queue;
    const struct queue_settings before = *queue_settings(scheduler_queue_at(scheduler, number));
    scheduler_change_queue(scheduler, number, settings, trial->state.now);
    bool found = starts(trial);
    scheduler_change_queue(scheduler, number, &before, trial->state.now);
    return found;
}

static const struct queue_settings *settings_of(const struct trial *trial)
{
    return queue_settings(scheduler_queue_at(trial->state.scheduler, trial->job->queue));
}

static bool try_user_limit(struct trial *trial, const struct start_change *change)
{
    struct queue_settings settings = *settings_of(trial);
    settings.per_user += (uint32_t)change->amount;
    return starts_with(trial, &settings);
}

static bool try_slots(struct trial *trial, const struct start_change *change)
{
    struct queue_settings settings = *settings_of(trial);
    settings.slots += (uint32_t)change->amount;
    return starts_with(trial, &settings);
}

/* As many more as there are workers are no limit at all. */
static void find_limit(struct trial *trial, struct finding *finding, enum start_change_kind kind,
                       uint32_t limit, try_fn attempt)
{
    struct start_change change = {.kind = kind};
    uint64_t most = trial->state.workers < UINT16_MAX ? trial->state.workers : UINT16_MAX;
    if (limit == 0)
        return;
    change.amount = least(trial, attempt, &change, 1, most);
    if (change.amount > 0)
        add(finding, &change);
}

static bool try_workers(struct trial *trial, const struct start_change *change)
{
    trial->state.workers += change->amount;
    bool found = starts(trial);
    trial->state.workers -= change->amount;
    return found;
}

static void find_workers(struct trial *trial, struct finding *finding)
{
    if (trial->state.running >= trial->state.workers)
        find_limit(trial, finding, CHANGE_WORKERS, 1, try_workers);
}

static uint64_t unit_of(enum resource_kind kind)
{
    return kind == RESOURCE_MEMORY || kind == RESOURCE_DISK ? START_CHANGE_BYTES : 1;
}

/* change->amount is in units. Who frees it has ended, and leaves its worker too. */
static bool try_free(struct trial *trial, const struct start_change *change)
{
    uint64_t amount = change->amount * unit_of(change->resource);
    scheduler_lend(trial->state.scheduler, change->resource, amount);
    trial->state.workers++;
    bool found = starts(trial);
    trial->state.workers--;
    scheduler_take_back(trial->state.scheduler, change->resource, amount);
    return found;
}

/* Of one that is to be bound it is said of cpus that are lent that it could be bound to them, too;
 * where only that lacks they are called so. */
static bool lacks_binding_alone(const struct trial *trial)
{
    const struct scheduler *scheduler = trial->state.scheduler;
    const struct resources *wanted = scheduler_wanted(scheduler, trial->job);
    const struct resources *there = scheduler_free_resources(scheduler);
    return wanted->amount[RESOURCE_CPUS] <= there->amount[RESOURCE_CPUS] &&
           wanted->amount[RESOURCE_BOUND] > there->amount[RESOURCE_BOUND];
}

/* Of each kind that is in use: at most all of that could be free, and less than the job lacks is
 * never enough. */
static void find_free(struct trial *trial, struct finding *finding)
{
    const struct scheduler *scheduler = trial->state.scheduler;
    for (int kind = 0; kind < RESOURCE_REMOVED; kind++) {
        struct start_change change = {.kind = CHANGE_FREE, .resource = (enum resource_kind)kind};
        uint64_t unit = unit_of(change.resource);
        uint64_t there = scheduler_free_resources(scheduler)->amount[kind];
        uint64_t used = (scheduler_total(scheduler)->amount[kind] - there) / unit;
        uint64_t wanted = scheduler_wanted(scheduler, trial->job)->amount[kind];
        uint64_t lacks = wanted > there ? (wanted - there + unit - 1) / unit : 1;
        if (wanted == 0 || lacks > used)
            continue;
        change.amount = least(trial, try_free, &change, lacks, used) * unit;
        if (kind == RESOURCE_CPUS && lacks_binding_alone(trial))
            change.resource = RESOURCE_BOUND;
        if (change.amount > 0)
            add(finding, &change);
    }
}

static bool try_changed(struct trial *trial, const struct job *as)
{
    struct job *job = trial->job;
    const struct job before = *job;
    scheduler_unqueue(trial->state.scheduler, job);
    job->level = as->level;
    job->estimate_us = as->estimate_us;
    scheduler_queue(trial->state.scheduler, job, trial->state.now);
    bool found = starts(trial);
    scheduler_unqueue(trial->state.scheduler, job);
    job->level = before.level;
    job->estimate_us = before.estimate_us;
    scheduler_queue(trial->state.scheduler, job, trial->state.now);
    return found;
}

static bool try_priority(struct trial *trial, const struct start_change *change)
{
    struct job as = *trial->job;
    as.level = change->amount & JOB_LEVEL_MASK;
    return try_changed(trial, &as);
}

static void find_priority(struct trial *trial, struct finding *finding)
{
    struct start_change change = {.kind = CHANGE_PRIORITY};
    for (unsigned level = trial->job->level; level > 0; level--) {
        if (!works_with(trial, try_priority, &change, level - 1))
            continue;
        add(finding, &change);
        return;
    }
}

static bool try_estimate(struct trial *trial, const struct start_change *change)
{
    struct job as = *trial->job;
    as.estimate_us = (int64_t)change->amount * US_PER_MS;
    return try_changed(trial, &as);
}

/* The longest with which it starts: one millisecond more is too long. */
static void find_estimate(struct trial *trial, struct finding *finding)
{
    struct start_change change = {.kind = CHANGE_ESTIMATE};
    int64_t estimate_us = trial->job->estimate_us;
    uint64_t fails = estimate_us > ESTIMATE_MOST_MS * US_PER_MS
                         ? ESTIMATE_MOST_MS
                         : (uint64_t)(estimate_us + US_PER_MS - 1) / US_PER_MS;
    if (fails <= 1 || works_with(trial, try_estimate, &change, fails) ||
        !works_with(trial, try_estimate, &change, 1))
        return;
    uint64_t enough = 1;
    while (fails - enough > 1) {
        uint64_t middle = enough + (fails - enough) / 2;
        if (works_with(trial, try_estimate, &change, middle))
            enough = middle;
        else
            fails = middle;
    }
    change.amount = enough;
    add(finding, &change);
}

/* ---- public ---- */

static void begin(struct trial *trial, const struct start_state *state, struct job *job)
{
    *trial = (struct trial){.state = *state, .job = job, .mark = scheduler_mark(state->scheduler)};
}

static void done(struct trial *trial)
{
    scheduler_mark_free(trial->mark);
    free(trial->started);
}

static bool try_nothing(struct trial *trial, const struct start_change *change)
{
    (void)change;
    return starts(trial);
}

bool start_changes_none_needed(const struct start_state *state, struct job *job)
{
    struct trial trial;
    begin(&trial, state, job);
    bool found = works(&trial, try_nothing, NULL);
    done(&trial);
    return found;
}

/* What stands in its queue is kept by nothing else. */
static void find_in_queue(struct trial *trial, struct finding *finding)
{
    const struct queue_settings *settings = settings_of(trial);
    find_plain(trial, finding, CHANGE_RESUME, try_resume);
    find_limit(trial, finding, CHANGE_USER_LIMIT, settings->per_user, try_user_limit);
    find_limit(trial, finding, CHANGE_SLOTS, settings->slots, try_slots);
    find_workers(trial, finding);
    find_free(trial, finding);
    find_priority(trial, finding);
    find_estimate(trial, finding);
}

size_t start_changes_find(const struct start_state *state, struct job *job,
                          struct start_change *ret)
{
    struct trial trial;
    struct finding finding = {.list = ret};
    begin(&trial, state, job);
    if (!works(&trial, try_nothing, NULL)) {
        find_plain(&trial, &finding, CHANGE_RELEASE, try_release);
        find_plain(&trial, &finding, CHANGE_BEGIN, try_begin);
        find_dependency(&trial, &finding);
        find_array_limit(&trial, &finding);
        if (job->queued)
            find_in_queue(&trial, &finding);
    }
    done(&trial);
    return finding.count;
}
