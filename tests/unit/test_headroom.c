/* Memory that others have: how much that is, and who starts beside it. */
#include "daemon/core/headroom.h"
#include "tests/unit/scheduler_steps.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

#define GIB (UINT64_C(1) << 30)
#define CPUS 8

static const struct {
    uint64_t promised, installed, available, taken, elsewhere; /* GiB */
} moments[] = {
    {16, 16, 16, 0, 0}, {16, 16, 14, 0, 2}, {16, 16, 10, 4, 2}, /* jobs have 4 of it */
    {16, 16, 2, 4, 10},                                         /* a hog */
    {12, 16, 14, 0, 0},                     /* 4 are kept back for others, who have 2 */
    {12, 16, 10, 0, 2}, {16, 16, 15, 3, 0}, /* what was read a moment apart */
    {64, 16, 1, 0, 0},                      /* more is promised than there is */
};

START_TEST(what_is_elsewhere)
{
    const struct headroom headroom = {.promised = moments[_i].promised * GIB,
                                      .installed = moments[_i].installed * GIB,
                                      .available = moments[_i].available * GIB,
                                      .taken = moments[_i].taken * GIB};
    ck_assert_uint_eq(headroom_elsewhere(&headroom), moments[_i].elsewhere * GIB);
}
END_TEST

/* Promises are in whole MiB, rounded up. */
START_TEST(a_machine_of_odd_size)
{
    struct headroom headroom = {
        .promised = 16 * GIB, .installed = 16 * GIB - 4096, .available = 14 * GIB};
    ck_assert_uint_eq(headroom_elsewhere(&headroom), 2 * GIB);
    headroom.installed = 16 * GIB - (UINT64_C(1) << 20);
    ck_assert_uint_eq(headroom_elsewhere(&headroom), 0);
}
END_TEST

static struct scheduler *new_scheduler(enum queue_backfill backfill)
{
    const struct scheduler_options options = {
        .total = {.amount = {[RESOURCE_CPUS] = CPUS, [RESOURCE_MEMORY] = 16 * GIB}},
        .queue = {.policy = QUEUE_FIFO, .backfill = backfill}};
    return scheduler_new(&options);
}

static void ask(struct scheduler *scheduler, struct job *job, uint64_t memory)
{
    const struct resources wanted = {
        .amount = {[RESOURCE_CPUS] = 1, [RESOURCE_MEMORY] = memory * GIB}};
    scheduler_learn(scheduler, job, &wanted);
    scheduler_queue(scheduler, job, 0);
}

static uint64_t next(struct scheduler *scheduler, int64_t now, uint64_t *ret_run)
{
    scheduler_begin(scheduler, now);
    const struct job *job = start(scheduler, now, ret_run);
    return job == NULL ? 0 : job->id;
}

START_TEST(it_starts_when_it_is_there)
{
    struct scheduler *scheduler = new_scheduler(QUEUE_BACKFILL_NONE);
    struct job jobs[] = {a_job(1, 1, 0, 0), a_job(2, 1, 0, 0), a_job(3, 1, 0, 0)};
    uint64_t run = 0;
    for (unsigned i = 0; i < 3; i++)
        ask(scheduler, &jobs[i], 5);
    scheduler_set_elsewhere(scheduler, 6 * GIB + 1);
    ck_assert_uint_eq(next(scheduler, 0, &run), 1);
    ck_assert_uint_eq(next(scheduler, 0, &run), 0); /* 10 were left, and 5 are promised */
    ck_assert_uint_eq(scheduler_free_resources(scheduler)->amount[RESOURCE_MEMORY], 11 * GIB);
    ck_assert_uint_eq(scheduler_available(scheduler)->amount[RESOURCE_MEMORY], 5 * GIB - 1);
    scheduler_set_elsewhere(scheduler, 6 * GIB);
    ck_assert_uint_eq(next(scheduler, 0, &run), 2);
    ck_assert_uint_eq(next(scheduler, 0, &run), 0);
    scheduler_end(scheduler, run, SECONDS(1)); /* it had all that it asked for, or will not */
    ck_assert_uint_eq(next(scheduler, SECONDS(1), &run), 3);
    scheduler_free(scheduler);
}
END_TEST

/* Those that ask for none pass, and go by the marks. */
START_TEST(none_is_asked_for)
{
    struct scheduler *scheduler = new_scheduler(QUEUE_BACKFILL_NONE);
    struct job job = a_job(1, 1, 0, 0);
    uint64_t run;
    ask(scheduler, &job, 0);
    scheduler_set_elsewhere(scheduler, 16 * GIB);
    ck_assert_uint_eq(next(scheduler, 0, &run), 1);
    scheduler_free(scheduler);
}
END_TEST

/* More than others leave of the machine: not beside others, and not never. */
START_TEST(the_large_one_starts_alone)
{
    struct scheduler *scheduler =
        new_scheduler(_i == 0 ? QUEUE_BACKFILL_NONE : QUEUE_BACKFILL_EASY);
    struct job small = a_job(1, 1, 0, 0);
    struct job large = a_job(2, 1, 0, 0);
    struct job later[] = {a_job(3, 1, 0, 0), a_job(4, 1, 0, 0)};
    uint64_t run = 0, large_run = 0;
    later[0].estimate_us = later[1].estimate_us = SECONDS(600);
    ask(scheduler, &small, 0);
    ask(scheduler, &large, 12);
    ask(scheduler, &later[0], 0);
    ask(scheduler, &later[1], 1);
    scheduler_set_elsewhere(scheduler, 5 * GIB);
    ck_assert(scheduler_exceeds(scheduler, &large) && !scheduler_exceeds(scheduler, &small));
    ck_assert_uint_eq(next(scheduler, 0, &run), 1);
    ck_assert_uint_eq(scheduler_room_for(scheduler, &large, 4), 0);
    ck_assert_uint_eq(next(scheduler, SECONDS(1), &large_run), 0); /* and nobody passes it */
    scheduler_end(scheduler, run, SECONDS(2));
    ck_assert_uint_eq(scheduler_room_for(scheduler, &large, 4), 1);
    ck_assert_uint_eq(next(scheduler, SECONDS(2), &large_run), 2);
    ck_assert_uint_eq(next(scheduler, SECONDS(3), &run), 3);
    ck_assert_uint_eq(next(scheduler, SECONDS(3), &run), 0); /* no memory is left for the last */
    scheduler_end(scheduler, large_run, SECONDS(4));
    ck_assert_uint_eq(next(scheduler, SECONDS(4), &run), 4);
    scheduler_free(scheduler);
}
END_TEST

/* What passes it is over by the time it starts. */
START_TEST(short_ones_pass_the_large_one)
{
    struct scheduler *scheduler = new_scheduler(QUEUE_BACKFILL_EASY);
    struct job first = a_job(1, 1, 0, 0);
    struct job large = a_job(2, 1, 0, 0);
    struct job brief = a_job(3, 1, 0, 0);
    uint64_t run = 0;
    int64_t at = 0;
    ask(scheduler, &first, 1);
    ask(scheduler, &large, 12);
    brief.estimate_us = SECONDS(30);
    ask(scheduler, &brief, 1);
    scheduler_set_elsewhere(scheduler, 5 * GIB);
    ck_assert_uint_eq(next(scheduler, 0, &run), 1);
    ck_assert_uint_eq(next(scheduler, SECONDS(1), &run), 3);
    ck_assert_ptr_eq(scheduler_reserved(scheduler, &at), &large);
    ck_assert_int_eq(at, SECONDS(60)); /* when the first ends */
    scheduler_free(scheduler);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory that others have");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, what_is_elsewhere, 0, (int)(sizeof(moments) / sizeof(moments[0])));
    tcase_add_test(all, a_machine_of_odd_size);
    tcase_add_test(all, it_starts_when_it_is_there);
    tcase_add_test(all, none_is_asked_for);
    tcase_add_loop_test(all, the_large_one_starts_alone, 0, 2);
    tcase_add_test(all, short_ones_pass_the_large_one);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
