/* A forecast against what the scheduler does when jobs take just as long as is expected: in random
 * states a plain list is asked at each instant what ends, begins and may start now. */
#include "tests/unit/predicted_starts.h"
#include "tests/unit/suite.h"

enum { STATES = 2000, ROUNDS = 4 };

/* ---- the same step by step ---- */

struct running_job {
    size_t at;
    uint64_t run;
    int64_t ends_at; /* INT64_MAX: it does not run */
    bool cut;        /* by its deadline */
};

struct world {
    struct plan_state *state;
    struct built *built;
    struct running_job running[RUNS];
    size_t count;
    size_t ended[STATE_JOBS], of[STATE_JOBS], begun[STATE_JOBS];
    bool lost[STATE_JOBS]; /* it, or some of it, never starts or was cut */
    struct starts *starts;
};

static int64_t expected_end(int64_t started_at, int64_t estimate_us, int64_t now)
{
    int64_t at = started_at + (estimate_us == ESTIMATE_UNKNOWN ? SECONDS(600) : estimate_us);
    return at < now ? 2 * now - at : at;
}

static void requeue(struct world *world, size_t at)
{
    struct planned_job *one = &world->state->jobs[at];
    if (one->array)
        jobset_queue(world->built->jobs, one->job, task_count_startable(&one->tasks) > 0,
                     world->state->now);
}

static void unblock(struct world *world, size_t at, enum job_block block, int64_t since)
{
    struct planned_job *one = &world->state->jobs[at];
    if (since > one->job->since)
        jobset_set_since(world->built->jobs, one->job, since, world->state->now);
    jobset_unblock(world->built->jobs, one->job, block, world->state->now);
    requeue(world, at);
}

static void lose(struct world *world, size_t at);

/* A job, or all of an array, is over. */
static void tell_children(struct world *world, size_t parent)
{
    bool well = !world->lost[parent];
    for (size_t i = 0; i < world->state->count; i++) {
        struct planned_job *child = &world->state->jobs[i];
        enum dependency_type type = child->depends.type;
        if (child->depends.parent != parent + 1)
            continue;
        child->depends.parent = 0;
        if (type == DEPENDENCY_AFTERANY || (type == DEPENDENCY_AFTEROK) == well)
            unblock(world, i, JOB_DEPENDS, world->state->now);
        else
            lose(world, i);
    }
}

/* What of it has not started never will. */
static void lose(struct world *world, size_t at)
{
    struct planned_job *one = &world->state->jobs[at];
    bool over = world->lost[at] && (!one->array || one->tasks.waiting == 0);
    if (over)
        return;
    world->lost[at] = true;
    jobset_block(world->built->jobs, one->job, JOB_HELD);
    one->deadline_at = 0;
    if (one->array) {
        world->of[at] -= one->tasks.waiting;
        one->tasks.waiting = 0;
    }
    if (!one->array || world->ended[at] == world->of[at])
        tell_children(world, at);
}

static void deadlines_pass(struct world *world)
{
    for (size_t i = 0; i < world->state->count; i++) {
        struct planned_job *one = &world->state->jobs[i];
        bool waits = one->array ? one->tasks.waiting > 0 : !one->running && world->begun[i] == 0;
        if (one->deadline_at == 0 || one->deadline_at > world->state->now)
            continue;
        one->deadline_at = 0;
        if (waits && !world->lost[i])
            lose(world, i);
    }
}

static void add_running(struct world *world, size_t at, uint64_t run, int64_t ends_at)
{
    int64_t deadline = world->state->jobs[at].deadline_at;
    struct running_job *one = &world->running[world->count++];
    *one = (struct running_job){at, run, ends_at, deadline > 0 && deadline < ends_at};
    if (one->cut)
        one->ends_at = deadline;
}

static void end_due(struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        struct running_job *run = &world->running[i];
        if (run->ends_at > world->state->now)
            continue;
        scheduler_end(world->built->scheduler, run->run, world->state->now);
        run->ends_at = INT64_MAX;
        struct planned_job *one = &world->state->jobs[run->at];
        one->tasks.running--;
        if (run->cut) {
            world->lost[run->at] = true;
            jobset_block(world->built->jobs, one->job, JOB_HELD);
            world->of[run->at] -= one->array ? one->tasks.waiting : 0;
            one->tasks.waiting = 0;
        }
        requeue(world, run->at);
        if (++world->ended[run->at] == world->of[run->at])
            tell_children(world, run->at);
    }
}

static void begin_due(struct world *world)
{
    for (size_t i = 0; i < world->state->count; i++) {
        struct planned_job *one = &world->state->jobs[i];
        if (one->begin_at == 0 || one->begin_at > world->state->now)
            continue;
        alarms_clear(&world->built->begins, one->job);
        unblock(world, i, JOB_LATER, one->begin_at);
        one->begin_at = 0;
    }
}

static uint64_t running_now(const struct world *world)
{
    uint64_t count = 0;
    for (size_t i = 0; i < world->count; i++)
        count += world->running[i].ends_at != INT64_MAX;
    return count;
}

static void start_round(struct world *world)
{
    struct job *job;
    int64_t now = world->state->now;
    scheduler_begin(world->built->scheduler, now);
    while (running_now(world) < world->state->workers &&
           (job = scheduler_next(world->built->scheduler)) != NULL) {
        size_t at = job->id - 1;
        struct planned_job *one = &world->state->jobs[at];
        ck_assert_uint_lt(world->count, RUNS);
        add_running(world, at, scheduler_run(world->built->scheduler, job, now),
                    expected_end(now, job->estimate_us, now));
        world->starts->list[world->starts->count++] = (struct start){
            job->id, world->begun[at], now, world->running[world->count - 1].ends_at};
        world->begun[at]++;
        if (one->array) {
            one->tasks.waiting--;
            one->tasks.running++;
            requeue(world, at);
        } else {
            scheduler_unqueue(world->built->scheduler, job);
        }
    }
}

static int64_t next_instant(const struct world *world)
{
    int64_t at = scheduler_next_alarm(world->built->scheduler);
    for (size_t i = 0; i < world->count; i++)
        at = world->running[i].ends_at < at ? world->running[i].ends_at : at;
    for (size_t i = 0; i < world->state->count; i++) {
        int64_t begin = world->state->jobs[i].begin_at;
        int64_t deadline = world->state->jobs[i].deadline_at;
        at = begin > 0 && begin < at ? begin : at;
        at = deadline > 0 && deadline < at ? deadline : at;
    }
    return at;
}

static void happen(const struct plan_state *before, struct starts *ret)
{
    struct plan_state state = *before;
    struct built built;
    struct world *world = calloc(1, sizeof(*world));
    *world = (struct world){.state = &state, .built = &built, .starts = ret};
    state_build(&state, &built);
    for (size_t i = 0; i < state.count; i++) {
        const struct planned_job *one = &state.jobs[i];
        world->of[i] = one->array ? one->tasks.waiting + one->tasks.running : 1;
        for (unsigned k = 0; k < state_runs(one); k++)
            add_running(world, i, one->runs[k],
                        expected_end(one->started_at, one->predicted_us, state.now));
    }
    for (int64_t at = state.now; at != NEVER; at = next_instant(world)) {
        state.now = at;
        end_due(world);
        deadlines_pass(world);
        begin_due(world);
        start_round(world);
    }
    state_done(&built);
    free(world);
}

START_TEST(what_is_predicted_happens)
{
    struct starts *theirs = malloc(3 * sizeof(*theirs));
    size_t total = 0;
    srand((unsigned)_i + 1);
    for (int i = 0; i < STATES / ROUNDS; i++) {
        struct plan_state state;
        random_state(&state);
        for (int k = 0; k < 3; k++)
            theirs[k].count = theirs[k].most = 0;
        predict(&state, &theirs[0]);
        happen(&state, &theirs[1]);
        ck_assert_uint_eq(theirs[0].count, theirs[1].count);
        check_same(&theirs[0], &theirs[1], theirs[0].count);
        total += theirs[0].count;
        theirs[2].most = 1 + (size_t)random_of(10);
        predict(&state, &theirs[2]);
        ck_assert_uint_le(theirs[2].count, theirs[2].most);
        check_same(&theirs[2], &theirs[1], theirs[2].count);
    }
    ck_assert_uint_gt(total, 5 * STATES / ROUNDS);
    free(theirs);
}
END_TEST

/* Handed ahead of time they follow each other, whatever waits. */
START_TEST(what_waits_in_a_worker_follows_what_runs_there)
{
    struct plan_state state = {.now = SECONDS(1000), .count = 4, .workers = 10};
    struct built built;
    struct starts starts = {.count = 0};
    for (size_t i = 0; i < state.count; i++) {
        state.jobs[i].sched = a_job(i + 1, 1, 0, SECONDS(900));
        state.jobs[i].wanted.amount[RESOURCE_CPUS] = STATE_CPUS;
        state.jobs[i].running = i == 0;
        state.jobs[i].started_at = state.now;
        state.jobs[i].predicted_us = SECONDS(10);
    }
    state_build(&state, &built);
    const struct forecast_options options = {.scheduler = built.scheduler,
                                             .jobs = built.jobs,
                                             .begins = &built.begins,
                                             .arrays = &built.arrays,
                                             .workers = 10,
                                             .now = state.now};
    struct forecast *forecast = forecast_new(&options, &events, &starts);
    struct forecast_run run = {.job = state.jobs[0].job, .index = -1, .started_at = state.now};
    forecast_add_run(forecast, &run, state.jobs[0].runs[0], SECONDS(10));
    for (size_t i = 3; i >= 2; i--) { /* 4, then 3, are behind it; 2 waits */
        run.job = state.jobs[i].job;
        scheduler_unqueue(built.scheduler, state.jobs[i].job);
        forecast_add_behind(forecast, &run, state.jobs[0].runs[0], SECONDS(20));
    }
    forecast_go(forecast);
    forecast_free(forecast);
    state_done(&built);
    ck_assert_uint_eq(starts.count, 3);
    static const uint64_t order[] = {4, 3, 2};
    static const int64_t at[] = {1010, 1030, 1050};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(starts.list[i].id, order[i]);
        ck_assert_int_eq(starts.list[i].at, SECONDS(at[i]));
    }
}
END_TEST

/* aftercorr: each task of the second array starts when one more of the first has ended, and what is
 * left when all of that has. */
START_TEST(an_array_follows_another_task_by_task)
{
    struct plan_state state = {.now = SECONDS(1000), .count = 2, .workers = 10};
    struct built built;
    struct starts starts = {.count = 0};
    for (size_t i = 0; i < state.count; i++) {
        state.jobs[i].sched = a_job(i + 1, 1, 0, SECONDS(900));
        state.jobs[i].sched.estimate_us = i == 0 ? SECONDS(10) : SECONDS(1);
        state.jobs[i].wanted.amount[RESOURCE_CPUS] = 1;
        state.jobs[i].array = true;
        state.jobs[i].tasks = (struct task_count){
            .id = i + 1, .total = 2 + i, .waiting = 2 + i, .limit = i == 0 ? 1 : 0};
    }
    state.jobs[1].tasks.kept = 3;
    state_build(&state, &built);
    const struct dependency corr = {.type = DEPENDENCY_AFTERCORR, .parent = 1};
    (void)dependency_graph_add(built.waits, 2, 0, false, &corr);
    predict_built(&state, &built, &starts);
    state_done(&built);
    static const uint64_t order[] = {1, 1, 2, 2, 2};
    static const int64_t at[] = {1000, 1010, 1010, 1020, 1020};
    ck_assert_uint_eq(starts.count, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_eq(starts.list[i].id, order[i]);
        ck_assert_int_eq(starts.list[i].at, SECONDS(at[i]));
    }
}
END_TEST

/* What was late so long is taken to be late as long again. */
START_TEST(an_end_that_is_late_is_put_off)
{
    ck_assert_int_eq(forecast_end(SECONDS(100), SECONDS(50), SECONDS(120)), SECONDS(150));
    ck_assert_int_eq(forecast_end(SECONDS(100), SECONDS(50), SECONDS(150)), SECONDS(150));
    ck_assert_int_eq(forecast_end(SECONDS(100), SECONDS(50), SECONDS(170)), SECONDS(190));
    ck_assert_int_eq(forecast_end(SECONDS(100), ESTIMATE_UNKNOWN, SECONDS(100)), SECONDS(700));
    ck_assert_int_lt(forecast_end(SECONDS(100), ESTIMATE_UNKNOWN - 1, SECONDS(100)), NEVER);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("forecast");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, what_is_predicted_happens, 0, ROUNDS);
    tcase_add_test(tests, what_waits_in_a_worker_follows_what_runs_there);
    tcase_add_test(tests, an_array_follows_another_task_by_task);
    tcase_add_test(tests, an_end_that_is_late_is_put_off);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
