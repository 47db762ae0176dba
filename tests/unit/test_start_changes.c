/* "It starts now if ...": in random states each change that is named makes the job start when the
 * state is made anew with just that changed, and with one unit less of it the job does not. */
#include "tests/unit/predicted_starts.h"

#include "daemon/core/start_changes.h"
#include "tests/unit/suite.h"

/* Each round is a process with a time limit of its own. With the sanitizers a state takes eight
 * times as long. */
#ifdef __SANITIZE_ADDRESS__
enum { STATES = 1500, ROUNDS = 3 };
#else
enum { STATES = 4000, ROUNDS = 4 };
#endif

/* It waits no longer for this, as the engine does it. */
static void unblock(const struct plan_state *state, struct built *built, struct planned_job *job,
                    enum job_block block)
{
    jobset_set_since(built->jobs, job->job, state->now, state->now);
    if (block == JOB_LATER)
        alarms_clear(&built->begins, job->job);
    jobset_unblock(built->jobs, job->job, block, state->now);
    if (job->array)
        jobset_queue(built->jobs, job->job, task_count_startable(&job->tasks) > 0, state->now);
}

static void change_queue(const struct plan_state *state, struct built *built,
                         const struct planned_job *job, uint64_t slots, uint64_t per_user)
{
    struct queue_settings settings = state->queues[job->sched.queue];
    settings.slots += (uint32_t)slots;
    settings.per_user += (uint32_t)per_user;
    scheduler_change_queue(built->scheduler, job->sched.queue, &settings, state->now);
}

static void change_job(const struct plan_state *state, struct built *built, struct planned_job *job,
                       const struct job *as)
{
    jobset_change(built->jobs, job->job, as, &job->wanted, state->now);
}

/* Makes so much of the change, as the daemon would. */
static void make_change(struct plan_state *state, struct built *built, struct planned_job *job,
                        const struct start_change *change, uint64_t amount)
{
    struct job as = *job->job;
    switch (change->kind) {
    case CHANGE_RELEASE:
        unblock(state, built, job, JOB_HELD);
        break;
    case CHANGE_BEGIN:
        unblock(state, built, job, JOB_LATER);
        break;
    case CHANGE_DEPENDENCY:
        ck_assert_uint_eq(change->dependency.parent, job->depends.parent);
        unblock(state, built, job, JOB_DEPENDS);
        break;
    case CHANGE_RESUME:
        scheduler_pause_queue(built->scheduler, job->sched.queue, false);
        break;
    case CHANGE_ARRAY_LIMIT:
        job->tasks.limit += amount;
        jobset_queue(built->jobs, job->job, task_count_startable(&job->tasks) > 0, state->now);
        break;
    case CHANGE_USER_LIMIT:
        change_queue(state, built, job, 0, amount);
        break;
    case CHANGE_SLOTS:
        change_queue(state, built, job, amount, 0);
        break;
    case CHANGE_WORKERS:
        state->workers += amount;
        break;
    case CHANGE_FREE:
        scheduler_lend(built->scheduler, change->resource, amount);
        state->workers += amount > 0;
        break;
    case CHANGE_PRIORITY:
        as.level = amount & JOB_LEVEL_MASK;
        change_job(state, built, job, &as);
        break;
    case CHANGE_ESTIMATE:
        as.estimate_us = (int64_t)amount * US_PER_MS;
        change_job(state, built, job, &as);
        break;
    case CHANGE_KIND_COUNT:
        break;
    }
}

/* One round over the state as it is written down, with the change (NULL: none). */
static bool starts_with(const struct plan_state *before, size_t at,
                        const struct start_change *change, uint64_t amount)
{
    struct plan_state state = *before;
    struct planned_job *job = &state.jobs[at];
    struct built built;
    uint64_t left[STATE_JOBS] = {0};
    bool found = false;
    state_build(&state, &built);
    if (change != NULL)
        make_change(&state, &built, job, change, amount);
    for (size_t i = 0; i < state.count; i++)
        left[i] = state.jobs[i].array ? task_count_startable(&state.jobs[i].tasks) : 1;
    struct job *next;
    uint64_t running = state_running(&state);
    scheduler_begin(built.scheduler, state.now);
    while (running < state.workers && (next = scheduler_next(built.scheduler)) != NULL) {
        (void)scheduler_run(built.scheduler, next, state.now);
        running++;
        found |= next == job->job;
        if (--left[next->id - 1] == 0)
            scheduler_unqueue(built.scheduler, next);
    }
    state_done(&built);
    return found;
}

static uint64_t one_less(const struct start_change *change)
{
    if (change->kind == CHANGE_PRIORITY || change->kind == CHANGE_ESTIMATE)
        return change->amount + 1; /* a lower level has a greater number; a longer estimate */
    if (change->kind == CHANGE_FREE && (change->resource == RESOURCE_MEMORY))
        return change->amount - START_CHANGE_BYTES;
    return change->amount - 1;
}

static bool has_amount(const struct start_change *change)
{
    return change->kind > CHANGE_DEPENDENCY && change->kind != CHANGE_RESUME;
}

static void check_change(const struct plan_state *state, size_t at,
                         const struct start_change *change)
{
    ck_assert_msg(starts_with(state, at, change, change->amount), "kind %d, amount %lu",
                  change->kind, change->amount);
    if (has_amount(change))
        ck_assert_msg(!starts_with(state, at, change, one_less(change)), "kind %d, less than %lu",
                      change->kind, change->amount);
}

static bool is_named(const struct start_change *changes, size_t count, enum start_change_kind kind)
{
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found |= changes[i].kind == kind;
    return found;
}

/* What has no amount is named whenever it is enough. */
static void check_complete(const struct plan_state *state, size_t at,
                           const struct start_change *changes, size_t count)
{
    const struct planned_job *job = &state->jobs[at];
    const struct start_change release = {.kind = CHANGE_RELEASE};
    const struct start_change begin = {.kind = CHANGE_BEGIN};
    const struct start_change resume = {.kind = CHANGE_RESUME};
    const struct start_change depends = {.kind = CHANGE_DEPENDENCY, .dependency = job->depends};
    if (job->held)
        ck_assert_uint_eq(is_named(changes, count, CHANGE_RELEASE),
                          starts_with(state, at, &release, 0));
    if (job->begin_at > 0)
        ck_assert_uint_eq(is_named(changes, count, CHANGE_BEGIN),
                          starts_with(state, at, &begin, 0));
    if (state->paused[job->sched.queue])
        ck_assert_uint_eq(is_named(changes, count, CHANGE_RESUME),
                          starts_with(state, at, &resume, 0));
    if (job->depends.parent > 0)
        ck_assert_uint_eq(is_named(changes, count, CHANGE_DEPENDENCY),
                          starts_with(state, at, &depends, 0));
}

struct tally {
    size_t kinds[CHANGE_KIND_COUNT];
    size_t started, asked;
};

static void check_job(struct plan_state *state, struct built *built, size_t at, struct tally *tally)
{
    struct start_change changes[START_CHANGES_MAX];
    const struct start_state now = {.scheduler = built->scheduler,
                                    .jobs = built->jobs,
                                    .begins = &built->begins,
                                    .waits = built->waits,
                                    .arrays = &built->arrays,
                                    .running = state_running(state),
                                    .workers = state->workers,
                                    .now = state->now};
    bool starts = starts_with(state, at, NULL, 0);
    ck_assert_uint_eq(start_changes_none_needed(&now, state->jobs[at].job), starts);
    size_t count = start_changes_find(&now, state->jobs[at].job, changes);
    ck_assert(!starts || count == 0);
    for (size_t i = 0; i < count; i++) {
        check_change(state, at, &changes[i]);
        tally->kinds[changes[i].kind]++;
    }
    if (!starts)
        check_complete(state, at, changes, count);
    tally->started += starts;
    tally->asked++;
}

static void check_same_facts(const struct plan_state *state, struct built *built)
{
    struct plan_state fresh = *state;
    struct built other;
    state_build(&fresh, &other);
    scheduler_begin(other.scheduler, state->now);
    scheduler_begin(built->scheduler, state->now);
    struct fair_share *mine = scheduler_share(built->scheduler);
    struct fair_share *theirs = scheduler_share(other.scheduler);
    for (size_t i = 0; i < state->count; i++) {
        const struct job *job = state->jobs[i].job;
        ck_assert_int_eq(job->since, state->jobs[i].sched.since);
        ck_assert_int_eq(job->estimate_us, state->jobs[i].sched.estimate_us);
        ck_assert_uint_eq(job->queued, fresh.jobs[i].job->queued);
        ck_assert(fair_share_order(mine, fair_share_user(mine, job->uid)) ==
                  fair_share_order(theirs, fair_share_user(theirs, job->uid)));
    }
    state_done(&other);
}

/* Nothing of all the trials is left behind: it goes on as one that was not asked. */
static void check_unchanged(const struct plan_state *state, struct built *built)
{
    struct starts *starts = calloc(2, sizeof(*starts));
    check_same_facts(state, built);
    predict_built(state, built, &starts[0]);
    predict(state, &starts[1]);
    ck_assert_uint_eq(starts[0].count, starts[1].count);
    check_same(&starts[0], &starts[1], starts[0].count);
    free(starts);
}

/* All are asked of the same scheduler. */
START_TEST(what_is_named_is_enough_and_less_is_not)
{
    struct tally tally = {.asked = 0};
    srand((unsigned)_i + 1);
    for (int i = 0; i < STATES / ROUNDS; i++) {
        struct plan_state state;
        struct built built;
        random_state(&state);
        state_build(&state, &built);
        for (size_t at = 0; at < state.count; at++) {
            if (!state.jobs[at].running && random_of(3) > 0)
                check_job(&state, &built, at, &tally);
        }
        check_unchanged(&state, &built);
        state_done(&built);
    }
    ck_assert_uint_gt(tally.asked, 1000);
    ck_assert_uint_gt(tally.started, 20);
    for (int kind = 0; kind < CHANGE_KIND_COUNT; kind++)
        ck_assert_msg(tally.kinds[kind] > 0, "%zu of kind %d", tally.kinds[kind], kind);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("start changes");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, what_is_named_is_enough_and_less_is_not, 0, ROUNDS);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
