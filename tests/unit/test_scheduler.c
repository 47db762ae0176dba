/* The scheduler's rules one by one; test_scheduler_model.c compares random changes with a model. */
#include "tests/unit/scheduler_steps.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#define DAY SECONDS(86400)

static struct scheduler *new_scheduler(enum queue_policy policy, enum queue_backfill backfill,
                                       uint64_t cpus)
{
    const struct scheduler_options options = {.total = {.amount = {[RESOURCE_CPUS] = cpus}},
                                              .queue = {.policy = policy, .backfill = backfill},
                                              .half_life_us = 7 * DAY};
    return scheduler_new(&options);
}

static uint64_t next_id(struct scheduler *scheduler)
{
    uint64_t run;
    struct job *job = start(scheduler, 0, &run);
    return job == NULL ? 0 : job->id;
}

/* ---- orders ---- */

START_TEST(ageing_lifts_a_level_for_each_interval)
{
    const struct queue_settings settings = {.policy = QUEUE_PRIORITY, .ageing_us = SECONDS(100)};
    struct fair_share *share = fair_share_new(0);
    struct queue *queue = queue_new(&settings, share);
    struct job low = a_job(1, 1, 3, 0);
    struct job normal = a_job(2, 1, 2, SECONDS(60));
    struct job urgent = a_job(3, 1, 0, SECONDS(350));
    queue_add(queue, &low, 0);
    queue_add(queue, &normal, SECONDS(60));
    ck_assert_ptr_eq(queue_first(queue), &normal);
    ck_assert_int_eq(queue_next_alarm(queue), SECONDS(100));
    queue_advance(queue, SECONDS(99));
    ck_assert_ptr_eq(queue_first(queue), &normal);
    queue_advance(queue, SECONDS(100)); /* both are normal now; the older goes first */
    ck_assert_ptr_eq(queue_first(queue), &low);
    queue_advance(queue, SECONDS(160)); /* the other is high */
    ck_assert_ptr_eq(queue_first(queue), &normal);
    queue_add(queue, &urgent, SECONDS(350));
    queue_advance(queue, SECONDS(350)); /* lifted to urgent, but no further, and older */
    ck_assert_ptr_eq(queue_first(queue), &low);
    queue_remove(queue, &low);
    ck_assert_ptr_eq(queue_first(queue), &normal);
    queue_remove(queue, &normal);
    ck_assert_ptr_eq(queue_first(queue), &urgent);
    queue_remove(queue, &urgent);
    ck_assert_ptr_null(queue_first(queue));
    ck_assert_int_eq(queue_next_alarm(queue), NEVER);
    queue_free(queue);
    fair_share_free(share);
}
END_TEST

/* A stream of urgent jobs that never ends: each second one comes, each second one can start. */
START_TEST(max_delay_bounds_every_wait)
{
    enum { URGENT = 2000 };
    const struct scheduler_options options = {
        .total = {.amount = {[RESOURCE_CPUS] = 1}},
        .queue = {.policy = QUEUE_PRIORITY, .max_delay_us = SECONDS(500)}};
    struct scheduler *scheduler = scheduler_new(&options);
    static struct job urgent[URGENT];
    struct job background = a_job(1, 1, 4, 0);
    int64_t started_at = -1;
    add(scheduler, &background, 1, 0);
    for (int i = 0; i < URGENT && started_at < 0; i++) {
        urgent[i] = a_job((uint64_t)i + 2, 2, 0, SECONDS(i));
        add(scheduler, &urgent[i], 1, SECONDS(i));
        scheduler_begin(scheduler, SECONDS(i));
        uint64_t run = 0;
        struct job *job = start(scheduler, SECONDS(i), &run);
        ck_assert_ptr_nonnull(job);
        if (job == &background)
            started_at = SECONDS(i);
        scheduler_end(scheduler, run, SECONDS(i));
    }
    ck_assert_int_eq(started_at, SECONDS(500));
    scheduler_free(scheduler);
}
END_TEST

START_TEST(fair_serves_the_newcomer_before_a_million_jobs)
{
    enum { MANY = 1000000 };
    struct job *jobs = calloc(MANY, sizeof(*jobs));
    struct scheduler *scheduler = new_scheduler(QUEUE_FAIR, QUEUE_BACKFILL_NONE, 4);
    struct job other = a_job(MANY + 1, 2, 4, 0);
    for (uint64_t i = 0; i < MANY; i++) {
        jobs[i] = a_job(i + 1, 1, 0, 0);
        add(scheduler, &jobs[i], 1, 0);
    }
    add(scheduler, &other, 1, 0);
    scheduler_begin(scheduler, 0);
    ck_assert_uint_eq(next_id(scheduler), 1); /* nobody has used anything: level, then submit */
    ck_assert_uint_eq(next_id(scheduler), other.id);
    scheduler_free(scheduler);
    free(jobs);
}
END_TEST

/* Usage decays by half in a half-life; while running it is charged and decays at once. */
START_TEST(usage_follows_the_formula)
{
    struct fair_share *share = fair_share_new(7 * DAY);
    size_t user = fair_share_user(share, 1000);
    size_t other = fair_share_user(share, 1001);
    fair_share_start(share, user, 0.5, 0);
    fair_share_end(share, user, 0.5, SECONDS(3600));
    double used = fair_share_usage(share, user);
    double lambda = log(2) / (7.0 * 86400);
    ck_assert_double_eq_tol(used, 0.5 * (1 - exp(-lambda * 3600)) / lambda, 1e-6);
    fair_share_advance(share, SECONDS(3600) + 7 * DAY);
    ck_assert_double_eq_tol(fair_share_usage(share, user), used / 2, 1e-6);
    ck_assert_double_gt(fair_share_order(share, user), fair_share_order(share, other));
    ck_assert(fair_share_order(share, other) == 0);
    /* Twice the shares and twice the usage stand alike. */
    fair_share_set(share, other, 2);
    fair_share_start(share, other, 1, SECONDS(3600) + 7 * DAY);
    fair_share_start(share, user, 0.5, SECONDS(3600) + 7 * DAY);
    double gap = fair_share_order(share, user) - fair_share_order(share, other);
    fair_share_advance(share, SECONDS(3600) + 1000 * 7 * DAY); /* beyond every rebase */
    ck_assert_double_gt(gap, 0);
    ck_assert_double_eq_tol(fair_share_usage(share, other) / fair_share_usage(share, user), 2,
                            1e-9);
    fair_share_free(share);
}
END_TEST

/* What is known only afterwards, in any order, counts as if it had been charged at its time. */
START_TEST(past_usage_is_the_same_usage)
{
    for (int64_t half_life = 0; half_life <= SECONDS(1000); half_life += SECONDS(1000)) {
        struct fair_share *live = fair_share_new(half_life);
        struct fair_share *late = fair_share_new(half_life);
        size_t user = fair_share_user(live, 7);
        ck_assert_uint_eq(fair_share_user(late, 7), user);
        fair_share_start(live, user, 0.25, SECONDS(100));
        fair_share_start(live, user, 0.5, SECONDS(400));
        fair_share_end(live, user, 0.25, SECONDS(700));
        fair_share_end(live, user, 0.5, SECONDS(900));
        fair_share_start(live, user, 1, SECONDS(950));
        fair_share_add(late, user, 0.5, SECONDS(400), SECONDS(900));
        fair_share_start(late, user, 1, SECONDS(950));
        fair_share_add(late, user, 0.25, SECONDS(100), SECONDS(700));
        fair_share_add(late, user, 0.75, SECONDS(300), SECONDS(800)); /* and it was not so */
        fair_share_add(late, user, -0.75, SECONDS(300), SECONDS(800));
        fair_share_advance(live, SECONDS(80000)); /* beyond a rebase */
        fair_share_advance(late, SECONDS(80000));
        ck_assert_double_gt(fair_share_usage(live, user), 1);
        ck_assert_double_eq_tol(fair_share_usage(live, user) / fair_share_usage(late, user), 1,
                                1e-9);
        fair_share_free(live);
        fair_share_free(late);
    }
}
END_TEST

/* Also while something is lent for a trial. */
START_TEST(what_was_held_is_discharged_as_it_was_charged)
{
    struct scheduler *scheduler = new_scheduler(QUEUE_FAIR, QUEUE_BACKFILL_NONE, 4);
    const struct resources held = {.amount = {[RESOURCE_CPUS] = 2}};
    const struct fair_share *share = scheduler_share(scheduler);
    size_t user = fair_share_user(scheduler_share(scheduler), 7);
    scheduler_charge(scheduler, 7, &held, SECONDS(100), SECONDS(200));
    ck_assert_double_gt(fair_share_usage(share, user), 1);
    scheduler_lend(scheduler, RESOURCE_CPUS, 4);
    scheduler_discharge(scheduler, 7, &held, SECONDS(100), SECONDS(200));
    ck_assert_double_eq_tol(fair_share_usage(share, user), 0, 1e-9);
    scheduler_free(scheduler);
}
END_TEST

/* Slurm's worked example (slurm.schedmd.com/classic_fair_share.html, "Example"; shares and usage of
 * five users in accounts). Their factor is F = 2^(-U/S) with the usage U and shares S normalised:
 * the more, the sooner. Ours has no accounts and no factor: least U/S first, which is the same
 * order where U is the effective usage that the example works out. */
struct example_user {
    double used, effective; /* of all; with what the example charges for the user's account */
    double shares, factor;  /* of the machine, and the published result */
};

static const struct example_user example[] = {
    {0.2, 0.3875, 0.3, 0.408479}, {0.25, 0.275, 0.05, 0.022097}, {0, 0.15, 0.05, 0.125},
    {0.25, 0.25, 0.25, 0.5},      {0, 0.1458, 0.35, 0.749154},
};
enum { EXAMPLE_USERS = sizeof(example) / sizeof(example[0]) };

/* `machine` holds what each used of the machine's 1,000 seconds. The factors by our own figures,
 * after half-lives in which nobody used anything: all decay alike. */
static void our_factors(const double *machine, double half_lives, double *ret_factors)
{
    struct fair_share *share = fair_share_new(7 * DAY);
    double all = 0;
    for (size_t i = 0; i < EXAMPLE_USERS; i++) {
        size_t user = fair_share_user(share, (uint32_t)i);
        ck_assert_uint_eq(user, i);
        fair_share_set(share, user, example[i].shares);
        fair_share_add(share, user, machine[i], 0, SECONDS(1000));
    }
    fair_share_advance(share, SECONDS(1000) + (int64_t)(half_lives * (double)(7 * DAY)));
    for (size_t i = 0; i < EXAMPLE_USERS; i++)
        all += fair_share_usage(share, i);
    for (size_t i = 0; i < EXAMPLE_USERS; i++) {
        double usage = fair_share_usage(share, i);
        double normalised = all > 0 ? usage / all : 0;
        ck_assert_double_eq_tol(usage, machine[i] * 1000 * exp2(-half_lives), 0.5);
        ret_factors[i] = exp2(-normalised / example[i].shares);
        for (size_t j = 0; j < i; j++) /* the sooner it is, the less it has used for its shares */
            ck_assert((ret_factors[i] > ret_factors[j]) ==
                      (fair_share_order(share, i) < fair_share_order(share, j)));
    }
    fair_share_free(share);
}

START_TEST(a_published_example)
{
    double machine[EXAMPLE_USERS], factors[EXAMPLE_USERS];
    double effective = 0, used = 0;
    for (size_t i = 0; i < EXAMPLE_USERS; i++) {
        effective += example[i].effective;
        used += example[i].used;
    }
    for (size_t i = 0; i < EXAMPLE_USERS; i++)
        machine[i] = example[i].effective;
    our_factors(machine, _i, factors);
    /* The effective usages are not normalised: their sum is not 1, and neither is that of those
     * used (others used the rest of the machine). */
    for (size_t i = 0; i < EXAMPLE_USERS; i++)
        ck_assert_double_eq_tol(pow(factors[i], effective), example[i].factor, 1e-4);
    /* Without accounts each answers for what it used itself: users 3 and 5 for nothing. */
    for (size_t i = 0; i < EXAMPLE_USERS; i++)
        machine[i] = example[i].used;
    our_factors(machine, _i, factors);
    for (size_t i = 0; i < EXAMPLE_USERS; i++)
        ck_assert_double_eq_tol(pow(factors[i], used), exp2(-example[i].used / example[i].shares),
                                1e-4);
    ck_assert(factors[2] == 1 && factors[4] == 1);
}
END_TEST

/* The machine holds 4 GPUs and 8 processors: who holds 2 GPUs has half of it, 3 processors 3/8. */
START_TEST(the_dominant_resource_counts)
{
    const struct resources total = {.amount = {[RESOURCE_CPUS] = 8, [RESOURCE_GPUS] = 4}};
    const struct resources gpus = {.amount = {[RESOURCE_CPUS] = 1, [RESOURCE_GPUS] = 2}};
    const struct resources cpus = {.amount = {[RESOURCE_CPUS] = 3}};
    ck_assert_double_eq(resources_dominant(&gpus, &total), 0.5);
    ck_assert_double_eq(resources_dominant(&cpus, &total), 0.375);
}
END_TEST

/* ---- resources ---- */

START_TEST(nothing_is_promised_twice)
{
    struct scheduler *scheduler = scheduler_new(&(struct scheduler_options){
        .total = {.amount = {[RESOURCE_CPUS] = 4, [RESOURCE_MEMORY] = 100, [RESOURCE_GPUS] = 1}}});
    struct job jobs[3];
    const struct resources wanted[3] = {{.amount = {[RESOURCE_CPUS] = 1, [RESOURCE_MEMORY] = 60}},
                                        {.amount = {[RESOURCE_CPUS] = 1, [RESOURCE_MEMORY] = 41}},
                                        {.amount = {[RESOURCE_CPUS] = 1, [RESOURCE_GPUS] = 1}}};
    for (uint64_t i = 0; i < 3; i++) {
        jobs[i] = a_job(i + 1, 1, 2, 0);
        scheduler_learn(scheduler, &jobs[i], &wanted[i]);
        scheduler_queue(scheduler, &jobs[i], 0);
    }
    uint64_t runs[3];
    scheduler_begin(scheduler, 0);
    ck_assert_ptr_eq(start(scheduler, 0, &runs[0]), &jobs[0]);
    ck_assert_uint_eq(next_id(scheduler), 0); /* 41 of memory are not there, and it blocks */
    scheduler_end(scheduler, runs[0], SECONDS(1));
    scheduler_begin(scheduler, SECONDS(1));
    ck_assert_ptr_eq(start(scheduler, SECONDS(1), &runs[1]), &jobs[1]);
    ck_assert_ptr_eq(start(scheduler, SECONDS(1), &runs[2]), &jobs[2]);
    ck_assert_uint_eq(scheduler_free_resources(scheduler)->amount[RESOURCE_GPUS], 0);
    scheduler_end(scheduler, runs[1], SECONDS(2));
    scheduler_end(scheduler, runs[2], SECONDS(2));
    ck_assert_uint_eq(scheduler_free_resources(scheduler)->amount[RESOURCE_MEMORY], 100);
    scheduler_free(scheduler);
}
END_TEST

START_TEST(an_unknown_end_lets_only_those_beside_pass)
{
    struct scheduler *scheduler = new_scheduler(QUEUE_FIFO, QUEUE_BACKFILL_EASY, 10);
    struct job jobs[4];
    const uint64_t cpus[4] = {6, 8, 4, 2};
    int64_t at;
    for (uint64_t i = 0; i < 4; i++) {
        jobs[i] = a_job(i + 1, 1, 2, 0);
        jobs[i].estimate_us = i == 0 ? ESTIMATE_UNKNOWN : SECONDS(1);
        add(scheduler, &jobs[i], cpus[i], 0);
    }
    scheduler_begin(scheduler, 0);
    ck_assert_uint_eq(next_id(scheduler), 1);
    ck_assert_uint_eq(next_id(scheduler), 4); /* 8 + 2 fit, 8 + 4 would not */
    ck_assert_uint_eq(next_id(scheduler), 0);
    ck_assert_ptr_eq(scheduler_reserved(scheduler, &at), &jobs[1]);
    ck_assert_int_eq(at, NEVER);
    scheduler_free(scheduler);
}
END_TEST

/* Four processors, four long jobs; the first in order wants three, and small ones never cease. Each
 * step one of what runs ends, the oldest. Whether nobody knows how long jobs run or all think it is
 * shorter than it is: the first starts when three of the four have ended. */
START_TEST(small_jobs_never_starve_a_wide_one)
{
    enum { SMALL = 50 };
    static struct job small[SMALL];
    struct scheduler *scheduler = new_scheduler(QUEUE_PRIORITY, QUEUE_BACKFILL_EASY, 4);
    struct job wide = a_job(1000, 1, 0, 0);
    uint64_t runs[SMALL + 4] = {0};
    int started = 0;
    bool wide_runs = false;
    for (int i = 0; i < SMALL; i++) {
        small[i] = a_job((uint64_t)i + 1, 2, 4, 0);
        small[i].estimate_us = _i == 0 ? ESTIMATE_UNKNOWN : SECONDS(1);
        add(scheduler, &small[i], 1, 0);
    }
    scheduler_begin(scheduler, 0);
    while (start(scheduler, 0, &runs[started]) != NULL)
        started++;
    ck_assert_int_eq(started, 4);
    wide.estimate_us = SECONDS(1);
    add(scheduler, &wide, 3, 0);
    for (int step = 0; step < 12 && !wide_runs; step++) {
        int64_t now = SECONDS(10 * (step + 1));
        struct job *job;
        uint64_t run = 0;
        scheduler_end(scheduler, runs[step], now);
        scheduler_begin(scheduler, now);
        while ((job = start(scheduler, now, &run)) != NULL) {
            wide_runs |= job == &wide;
            runs[started++] = run;
        }
    }
    ck_assert(wide_runs);
    ck_assert_int_le(started, 8);
    scheduler_free(scheduler);
}
END_TEST

/* Eight of four processors are used: the machine was made smaller. */
START_TEST(what_is_used_beyond_the_machine_ends_first)
{
    struct scheduler *scheduler = new_scheduler(QUEUE_FIFO, QUEUE_BACKFILL_EASY, 4);
    struct job running[4];
    struct job next = a_job(9, 1, 2, 0);
    int64_t at;
    for (int i = 0; i < 4; i++) {
        running[i] = a_job((uint64_t)i + 1, 1, 2, 0);
        running[i].estimate_us = SECONDS(100 * (i + 1));
        const struct resources wanted = {.amount = {[RESOURCE_CPUS] = 2}};
        scheduler_learn(scheduler, &running[i], &wanted);
        (void)scheduler_run(scheduler, &running[i], 0);
    }
    add(scheduler, &next, 4, SECONDS(1));
    scheduler_begin(scheduler, SECONDS(1));
    ck_assert_ptr_null(scheduler_next(scheduler));
    ck_assert_ptr_eq(scheduler_reserved(scheduler, &at), &next);
    ck_assert_int_eq(at, SECONDS(400));
    scheduler_free(scheduler);
}
END_TEST

static void add_bound(struct scheduler *scheduler, struct job *job, uint64_t cpus)
{
    const struct resources wanted = {.amount = {[RESOURCE_CPUS] = cpus, [RESOURCE_BOUND] = cpus}};
    scheduler_learn(scheduler, job, &wanted);
    scheduler_queue(scheduler, job, 0);
}

/* Of sixteen processors eight are left: as many run as there are, what asks for more waits aside,
 * and comes back with them. */
START_TEST(processors_to_be_bound_to_come_and_go)
{
    enum { NARROW = 10 };
    const struct scheduler_options options = {
        .total = {.amount = {[RESOURCE_CPUS] = 64, [RESOURCE_BOUND] = 16}},
        .queue = {.policy = QUEUE_FIFO,
                  .backfill = _i == 0 ? QUEUE_BACKFILL_EASY : QUEUE_BACKFILL_NONE}};
    struct scheduler *scheduler = scheduler_new(&options);
    struct job wide = a_job(1, 1, 2, 0);
    struct job narrow[NARROW];
    uint64_t runs[NARROW] = {0};
    add_bound(scheduler, &wide, 12);
    for (unsigned i = 0; i < NARROW; i++) {
        narrow[i] = a_job(i + 2, 1, 2, 0);
        add_bound(scheduler, &narrow[i], 1);
    }
    ck_assert(!scheduler_see_bound(scheduler, 16, 16));
    ck_assert(!scheduler_see_bound(scheduler, 12, 16)); /* none asks for more */
    scheduler_begin(scheduler, 0);
    ck_assert_ptr_eq(scheduler_next(scheduler), &wide);
    ck_assert(scheduler_see_bound(scheduler, 8, 8)); /* as it was to start */
    scheduler_review(scheduler, &wide, 0);
    ck_assert(!wide.queued && wide.parked && !scheduler_ever_fits(scheduler, &wide));
    for (unsigned i = 0; i < 8; i++)
        ck_assert_ptr_eq(start(scheduler, 0, &runs[i]), &narrow[i]);
    ck_assert_ptr_null(scheduler_next(scheduler));
    scheduler_end(scheduler, runs[0], 1);
    scheduler_begin(scheduler, 1);
    ck_assert_ptr_eq(start(scheduler, 1, &runs[8]), &narrow[8]);
    ck_assert_ptr_null(scheduler_next(scheduler));
    ck_assert(scheduler_see_bound(scheduler, 16, 8));
    scheduler_review(scheduler, &wide, 1);
    ck_assert(wide.queued && !wide.parked);
    for (unsigned i = 1; i < 9; i++)
        scheduler_end(scheduler, runs[i], 2);
    scheduler_begin(scheduler, 2);
    ck_assert_ptr_eq(start(scheduler, 2, &runs[0]), &wide);
    ck_assert_ptr_eq(start(scheduler, 2, &runs[0]), &narrow[9]);
    scheduler_free(scheduler);
}
END_TEST

/* Somebody has some of them whom the scheduler does not count: what they are too few for does not
 * fit, or it would be tried again and again. */
START_TEST(no_more_are_free_than_are_idle)
{
    const struct scheduler_options options = {
        .total = {.amount = {[RESOURCE_CPUS] = 64, [RESOURCE_BOUND] = 16}}};
    struct scheduler *scheduler = scheduler_new(&options);
    struct job running = a_job(1, 1, 2, 0);
    struct job next = a_job(2, 1, 2, 0);
    uint64_t run;
    add_bound(scheduler, &running, 4);
    scheduler_begin(scheduler, 0);
    ck_assert_ptr_eq(start(scheduler, 0, &run), &running);
    add_bound(scheduler, &next, 6);
    (void)scheduler_see_bound(scheduler, 16, 5);
    ck_assert_ptr_null(scheduler_next(scheduler));
    (void)scheduler_see_bound(scheduler, 16, 6);
    scheduler_begin(scheduler, 1);
    ck_assert_ptr_eq(scheduler_next(scheduler), &next);
    (void)scheduler_see_bound(scheduler, 2, 2); /* fewer than run */
    ck_assert_uint_eq(scheduler_free_resources(scheduler)->amount[RESOURCE_BOUND], 0);
    scheduler_free(scheduler);
}
END_TEST

/* Known ends are counted once, also when an unknown one has to come after them. */
START_TEST(known_and_unknown_ends)
{
    struct scheduler *scheduler = new_scheduler(QUEUE_FIFO, QUEUE_BACKFILL_EASY, 4);
    struct job jobs[4] = {a_job(1, 1, 2, 0), a_job(2, 1, 2, 0), a_job(3, 1, 2, 0),
                          a_job(4, 1, 2, 0)};
    const uint64_t cpus[4] = {2, 1, 4, 1};
    int64_t at;
    jobs[1].estimate_us = ESTIMATE_UNKNOWN;
    for (int i = 0; i < 4; i++)
        add(scheduler, &jobs[i], cpus[i], 0);
    scheduler_begin(scheduler, 0);
    ck_assert_uint_eq(next_id(scheduler), 1);
    ck_assert_uint_eq(next_id(scheduler), 2);
    ck_assert_uint_eq(next_id(scheduler), 0);
    ck_assert_ptr_eq(scheduler_reserved(scheduler, &at), &jobs[2]);
    ck_assert_int_eq(at, NEVER);
    scheduler_unqueue(scheduler, &jobs[2]);
    ck_assert_uint_eq(next_id(scheduler), 4);
    scheduler_free(scheduler);
}
END_TEST

/* One user's thousand jobs that do not fit hide nobody's job that does. */
START_TEST(each_user_is_looked_at)
{
    enum { WIDE = 1500 };
    static struct job wide[WIDE];
    const struct scheduler_options options = {
        .total = {.amount = {[RESOURCE_CPUS] = 10, [RESOURCE_MEMORY] = 100}},
        .queue = {.policy = QUEUE_FIFO, .backfill = QUEUE_BACKFILL_EASY},
        .backfill_depth = 1000};
    const struct resources wanted = {.amount = {[RESOURCE_CPUS] = 1, [RESOURCE_MEMORY] = 60}};
    struct scheduler *scheduler = scheduler_new(&options);
    struct job small = a_job(3, 9, 2, 0);
    for (uint64_t i = 0; i < WIDE; i++) {
        wide[i] = a_job(i < 2 ? i + 1 : i + 10, 1, 2, 0);
        scheduler_learn(scheduler, &wide[i], &wanted);
        scheduler_queue(scheduler, &wide[i], 0);
    }
    add(scheduler, &small, 1, 0);
    scheduler_begin(scheduler, 0);
    ck_assert_uint_eq(next_id(scheduler), 1);
    ck_assert_uint_eq(next_id(scheduler), small.id);
    scheduler_free(scheduler);
}
END_TEST

/* A day ahead for a moment, then right again. */
START_TEST(a_clock_that_is_put_back)
{
    const struct scheduler_options options = {
        .total = {.amount = {[RESOURCE_CPUS] = 1}},
        .queue = {.policy = QUEUE_PRIORITY, .max_delay_us = SECONDS(3600)},
        .half_life_us = 7 * DAY};
    struct scheduler *scheduler = scheduler_new(&options);
    struct job background = a_job(1, 1, 4, DAY), ahead = a_job(2, 1, 3, 2 * DAY);
    struct job urgent = a_job(3, 2, 0, DAY + SECONDS(10));
    struct fair_share *share = scheduler_share(scheduler);
    size_t user = fair_share_user(share, 2);
    add(scheduler, &background, 1, DAY);
    scheduler_begin(scheduler, 2 * DAY);
    add(scheduler, &ahead, 1, 2 * DAY);
    ck_assert_ptr_eq(scheduler_first(scheduler), &background); /* it seems to be overdue */
    add(scheduler, &urgent, 1, DAY + SECONDS(10));
    scheduler_begin(scheduler, DAY + SECONDS(10));
    ck_assert_ptr_eq(scheduler_first(scheduler), &urgent);
    uint64_t run;
    ck_assert_ptr_eq(start(scheduler, DAY + SECONDS(10), &run), &urgent);
    double before = fair_share_usage(share, user);
    scheduler_begin(scheduler, DAY + SECONDS(3700)); /* both are overdue by now */
    ck_assert_double_gt(fair_share_usage(share, user) - before, 3600);
    ck_assert_double_lt(fair_share_usage(share, user) - before, 3700);
    ck_assert_int_eq(background.rank, RANK_OVERDUE);
    ck_assert_int_eq(ahead.rank, RANK_OVERDUE);
    scheduler_free(scheduler);
}
END_TEST

START_TEST(a_round_looks_at_so_many_and_no_more)
{
    struct scheduler_options options = {
        .total = {.amount = {[RESOURCE_CPUS] = 10, [RESOURCE_MEMORY] = 100}},
        .queue = {.policy = QUEUE_FIFO, .backfill = QUEUE_BACKFILL_EASY}};
    for (options.backfill_depth = 0; options.backfill_depth <= 50; options.backfill_depth += 50) {
        enum { WIDE = 200 };
        static struct job wide[WIDE];
        struct scheduler *scheduler = scheduler_new(&options);
        struct job small = a_job(WIDE + 1, 1, 2, 0);
        const struct resources wanted = {.amount = {[RESOURCE_CPUS] = 1, [RESOURCE_MEMORY] = 60}};
        for (uint64_t i = 0; i < WIDE; i++) {
            wide[i] = a_job(i + 1, 1, 2, 0);
            scheduler_learn(scheduler, &wide[i], &wanted);
            scheduler_queue(scheduler, &wide[i], 0);
        }
        add(scheduler, &small, 1, 0);
        scheduler_begin(scheduler, 0);
        ck_assert_uint_eq(next_id(scheduler), 1);
        ck_assert_uint_eq(next_id(scheduler), options.backfill_depth == 0 ? small.id : 0);
        scheduler_free(scheduler);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, ageing_lifts_a_level_for_each_interval);
    tcase_add_test(tests, max_delay_bounds_every_wait);
    tcase_add_test(tests, fair_serves_the_newcomer_before_a_million_jobs);
    tcase_add_test(tests, usage_follows_the_formula);
    tcase_add_test(tests, past_usage_is_the_same_usage);
    tcase_add_test(tests, what_was_held_is_discharged_as_it_was_charged);
    tcase_add_loop_test(tests, a_published_example, 0, 4);
    tcase_add_test(tests, the_dominant_resource_counts);
    tcase_add_test(tests, nothing_is_promised_twice);
    tcase_add_test(tests, an_unknown_end_lets_only_those_beside_pass);
    tcase_add_loop_test(tests, small_jobs_never_starve_a_wide_one, 0, 2);
    tcase_add_test(tests, what_is_used_beyond_the_machine_ends_first);
    tcase_add_loop_test(tests, processors_to_be_bound_to_come_and_go, 0, 2);
    tcase_add_test(tests, no_more_are_free_than_are_idle);
    tcase_add_test(tests, known_and_unknown_ends);
    tcase_add_test(tests, each_user_is_looked_at);
    tcase_add_test(tests, a_clock_that_is_put_back);
    tcase_add_test(tests, a_round_looks_at_so_many_and_no_more);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
