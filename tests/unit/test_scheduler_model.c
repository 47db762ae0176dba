/* The scheduler against a naive model of it: a plain list that is searched for each question. */
#include "tests/unit/scheduler_steps.h"

#include <check.h>
#include <stdlib.h>

enum { JOBS = 400, STEPS = 100000, CPUS = 24 };

struct model_job {
    struct job sched;
    uint64_t cpus;
    enum { ABSENT, WAITING, RUNNING } state;
    int64_t ends_at;
    uint64_t run;
};

struct model {
    struct model_job jobs[JOBS];
    struct queue_settings settings;
    struct scheduler *scheduler;
    uint64_t next_id, free;
    int64_t now;
};

static int64_t delay_of(const struct model *model, const struct job *job)
{
    return model->now - job->since;
}

static bool late(const struct model *model, const struct job *job)
{
    return model->settings.max_delay_us > 0 && delay_of(model, job) >= model->settings.max_delay_us;
}

static int level_now(const struct model *model, const struct job *job)
{
    if (model->settings.policy != QUEUE_PRIORITY || model->settings.ageing_us == 0)
        return job->level;
    int64_t level = job->level - delay_of(model, job) / model->settings.ageing_us;
    return level < 0 ? 0 : (int)level;
}

static int compare_numbers(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_by_policy(const struct model *model, const struct job *a, const struct job *b)
{
    struct fair_share *share = scheduler_share(model->scheduler);
    size_t first = fair_share_user(share, a->uid);
    size_t second = fair_share_user(share, b->uid);
    int result = 0;
    if (model->settings.policy == QUEUE_SJF)
        result = compare_numbers((double)a->estimate_us, (double)b->estimate_us);
    if (model->settings.policy == QUEUE_FAIR) {
        result = compare_numbers(fair_share_order(share, first), fair_share_order(share, second));
        if (result == 0)
            result = compare_numbers(fair_share_held(share, first), fair_share_held(share, second));
    }
    if (result == 0 &&
        (model->settings.policy == QUEUE_FAIR || model->settings.policy == QUEUE_PRIORITY))
        result = level_now(model, a) - level_now(model, b);
    return result;
}

static bool goes_first(const struct model *model, const struct job *a, const struct job *b)
{
    if (late(model, a) || late(model, b)) {
        if (late(model, a) != late(model, b))
            return late(model, a);
        return a->since != b->since ? a->since < b->since : a->id < b->id;
    }
    int result = compare_by_policy(model, a, b);
    return result != 0 ? result < 0 : a->id < b->id;
}

/* The first waiting job within the limits; limits of NULL: the first of all. */
static struct model_job *model_first(struct model *model, uint64_t free, int64_t window,
                                     uint64_t left_over)
{
    struct model_job *best = NULL;
    for (int i = 0; i < JOBS; i++) {
        struct model_job *job = &model->jobs[i];
        bool fits =
            job->cpus <= free && (job->sched.estimate_us <= window || job->cpus <= left_over);
        if (job->state == WAITING && fits &&
            (best == NULL || goes_first(model, &job->sched, &best->sched)))
            best = job;
    }
    return best;
}

/* What is free when all have ended that are known to end by then. */
static uint64_t model_free_at(const struct model *model, int64_t at)
{
    uint64_t there = model->free;
    for (int i = 0; i < JOBS; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->state == RUNNING && job->ends_at >= model->now && job->ends_at <= at)
            there += job->cpus;
    }
    return there;
}

/* The next known end after `at`, or NEVER. */
static int64_t model_next_end(const struct model *model, int64_t at)
{
    int64_t next = NEVER;
    for (int i = 0; i < JOBS; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->state == RUNNING && job->ends_at > at && job->ends_at < next)
            next = job->ends_at;
    }
    return next;
}

static bool unknown_end(const struct model *model, const struct model_job *job)
{
    return job->state == RUNNING && (job->ends_at < model->now || job->ends_at == NEVER);
}

/* Of the late and the unknown the one that comes first after `last`: by its end, then its number.
 */
static const struct model_job *model_next_unknown(const struct model *model,
                                                  const struct model_job *last)
{
    const struct model_job *found = NULL;
    for (int i = 0; i < JOBS; i++) {
        const struct model_job *job = &model->jobs[i];
        bool behind = last == NULL || job->ends_at > last->ends_at ||
                      (job->ends_at == last->ends_at && job->run > last->run);
        bool before = found == NULL || job->ends_at < found->ends_at ||
                      (job->ends_at == found->ends_at && job->run < found->run);
        if (unknown_end(model, job) && behind && before)
            found = job;
    }
    return found;
}

/* The earliest time at which so many processors are free, and how many are then. */
static int64_t model_room(const struct model *model, uint64_t wanted, uint64_t *ret_free)
{
    for (int64_t at = model->now; at != NEVER; at = model_next_end(model, at)) {
        *ret_free = model_free_at(model, at);
        if (*ret_free >= wanted)
            return at;
    }
    *ret_free = model_free_at(model, NEVER - 1);
    for (const struct model_job *job = NULL; *ret_free < wanted;) {
        job = model_next_unknown(model, job);
        ck_assert_ptr_nonnull(job);
        *ret_free += job->cpus;
    }
    return NEVER;
}

static void check_start(struct model *model, struct model_job *wanted)
{
    uint64_t run = 0;
    struct job *job = start(model->scheduler, model->now, &run);
    ck_assert_ptr_eq(job, wanted == NULL ? NULL : &wanted->sched);
    if (wanted == NULL)
        return;
    wanted->run = run;
    wanted->state = RUNNING;
    wanted->ends_at = wanted->sched.estimate_us == ESTIMATE_UNKNOWN
                          ? NEVER
                          : model->now + wanted->sched.estimate_us;
    ck_assert_uint_le(wanted->cpus, model->free);
    model->free -= wanted->cpus;
}

static void check_round(struct model *model)
{
    struct model_job *job;
    scheduler_begin(model->scheduler, model->now);
    while ((job = model_first(model, UINT64_MAX, NEVER, 0)) != NULL && job->cpus <= model->free)
        check_start(model, job);
    if (job != NULL && model->settings.backfill == QUEUE_BACKFILL_EASY) {
        uint64_t left_over;
        int64_t at = model_room(model, job->cpus, &left_over);
        left_over -= job->cpus;
        int64_t window = at == NEVER ? 0 : at - model->now;
        while ((job = model_first(model, model->free, window, left_over)) != NULL) {
            if (job->sched.estimate_us > window)
                left_over -= job->cpus;
            check_start(model, job);
        }
    }
    check_start(model, NULL);
}

static void random_step(struct model *model)
{
    struct model_job *job = &model->jobs[rand() % JOBS];
    model->now += rand() % 3 == 0 ? rand() % SECONDS(20) : 0;
    if (job->state == ABSENT) {
        *job = (struct model_job){.cpus = 1 + (uint64_t)(rand() % 3 == 0 ? rand() % CPUS : 0),
                                  .state = WAITING};
        job->sched = a_job(++model->next_id, (uint32_t)(rand() % 5), (uint8_t)(rand() % 5),
                           model->now - rand() % SECONDS(50));
        job->sched.estimate_us = rand() % 6 == 0 ? ESTIMATE_UNKNOWN : rand() % 8 * SECONDS(25);
        add(model->scheduler, &job->sched, job->cpus, model->now);
    } else if (job->state == WAITING && rand() % 4 == 0) {
        scheduler_unqueue(model->scheduler, &job->sched);
        scheduler_forget(model->scheduler, &job->sched);
        job->state = ABSENT;
    } else if (job->state == RUNNING) { /* earlier or later than estimated */
        scheduler_end(model->scheduler, job->run, model->now);
        scheduler_forget(model->scheduler, &job->sched);
        model->free += job->cpus;
        job->state = ABSENT;
    }
    if (rand() % 4 == 0)
        check_round(model);
}

static void run_model(enum queue_policy policy, enum queue_backfill backfill, bool bounds)
{
    struct model *model = calloc(1, sizeof(*model));
    model->settings = (struct queue_settings){.policy = policy, .backfill = backfill};
    if (bounds) {
        model->settings.ageing_us = SECONDS(150);
        model->settings.max_delay_us = SECONDS(900);
    }
    const struct scheduler_options options = {.total = {.amount = {[RESOURCE_CPUS] = CPUS}},
                                              .queue = model->settings,
                                              .half_life_us = SECONDS(1000)};
    model->scheduler = scheduler_new(&options);
    model->free = CPUS;
    for (int i = 0; i < STEPS / 16; i++)
        random_step(model);
    ck_assert_uint_gt(model->next_id, STEPS / 100);
    scheduler_free(model->scheduler);
    free(model);
}

/* In each of 16 settings. */
START_TEST(random_changes_match_the_model)
{
    srand((unsigned)_i + 1);
    run_model((enum queue_policy)(_i % 4), (enum queue_backfill)(_i / 4 % 2), _i >= 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler against a model");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, random_changes_match_the_model, 0, 16);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
