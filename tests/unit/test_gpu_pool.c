/* GPUs handed out one by one: never two jobs on one that has a job for itself, shares of a whole at
 * most, memory as it is there; and through the scheduler, while GPUs come and go, everything starts
 * in the end. */
#include "daemon/core/gpu_pool.h"
#include "daemon/core/scheduler.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define GPUS 4U
#define MEMORY 100U
#define JOBS 200U
#define STEPS 4000

static struct resources ask(uint64_t whole, uint64_t share, uint64_t memory)
{
    return (struct resources){.amount = {[RESOURCE_CPUS] = 1,
                                         [RESOURCE_GPUS] = whole,
                                         [RESOURCE_GPU_SHARE] = share,
                                         [RESOURCE_GPU_MEMORY] = memory}};
}

static struct gpu_pool two(void)
{
    return (struct gpu_pool){.count = 2,
                             .slot = {{.total_bytes = MEMORY}, {.total_bytes = MEMORY}}};
}

START_TEST(a_share_fills_the_fullest)
{
    struct gpu_pool pool = two();
    const struct resources half = ask(0, 500, 0);
    const struct resources much = ask(0, 600, 0);
    gpu_pool_take(&pool, 2, &half);
    ck_assert_uint_eq(gpu_pool_choose(&pool, &half), 2);
    ck_assert_uint_eq(gpu_pool_choose(&pool, &much), 1);
    ck_assert_uint_eq(gpu_pool_free(&pool), 1);
    gpu_pool_give_back(&pool, 2, &half);
    ck_assert_uint_eq(gpu_pool_free(&pool), 2);
}
END_TEST

START_TEST(memory_is_what_was_promised_or_is_in_use)
{
    struct gpu_pool pool = two();
    const struct resources small = ask(0, 100, 30);
    const struct resources large = ask(0, 100, 31);
    pool.slot[1].out = true;
    pool.slot[0].foreign_bytes = pool.slot[0].used_bytes = 10;
    gpu_pool_take(&pool, 1, &small);
    gpu_pool_take(&pool, 1, &small); /* 70 are due */
    ck_assert(gpu_pool_fits(&pool, &small));
    ck_assert(!gpu_pool_fits(&pool, &large));
    ck_assert(gpu_pool_ever_fits(&pool, &large));
    pool.slot[0].used_bytes = 71; /* they use more than they said */
    ck_assert(!gpu_pool_fits(&pool, &small));
    pool.slot[0].total_bytes = 0; /* nobody knows */
    ck_assert(gpu_pool_fits(&pool, &large));
}
END_TEST

START_TEST(one_that_is_out_keeps_what_it_has)
{
    struct gpu_pool pool = two();
    const struct resources whole = ask(1, 0, 0);
    const struct resources both = ask(2, 0, 0);
    gpu_pool_take(&pool, 1, &whole);
    pool.slot[0].out = true;
    ck_assert_uint_eq(gpu_pool_usable(&pool), 2);
    ck_assert(gpu_pool_ever_fits(&pool, &both)); /* as long as it is had */
    ck_assert_uint_eq(gpu_pool_choose(&pool, &whole), 2);
    gpu_pool_give_back(&pool, 1, &whole);
    ck_assert_uint_eq(gpu_pool_usable(&pool), 1);
    ck_assert(!gpu_pool_ever_fits(&pool, &both));
}
END_TEST

/* ---- through the scheduler ---- */

enum state { ABSENT, WAITING, RUNNING };

struct item {
    struct job job;
    struct resources wanted;
    enum state state;
    uint64_t run, set;
};

static struct resources random_ask(void)
{
    const uint64_t memory = rand() % 2 == 0 ? 0 : 1 + (uint64_t)rand() % MEMORY;
    if (rand() % 3 == 0)
        return ask(1 + (uint64_t)rand() % GPUS, 0, memory);
    return rand() % 5 == 0 ? ask(0, 0, 0) : ask(0, 1 + (uint64_t)rand() % 999, memory);
}

/* By the jobs themselves, not by the pool. */
static void check_slots(const struct item *items)
{
    for (unsigned gpu = 0; gpu < GPUS; gpu++) {
        uint64_t whole = 0, jobs = 0, share = 0, memory = 0;
        for (unsigned i = 0; i < JOBS; i++) {
            if (items[i].state != RUNNING || (items[i].set >> gpu & 1U) == 0)
                continue;
            jobs++;
            whole += items[i].wanted.amount[RESOURCE_GPUS] > 0;
            share += items[i].wanted.amount[RESOURCE_GPU_SHARE];
            memory += items[i].wanted.amount[RESOURCE_GPU_MEMORY];
        }
        ck_assert(whole == 0 || jobs == 1);
        ck_assert(share <= GPU_WHOLE && memory <= MEMORY);
    }
}

static void begin(struct scheduler *scheduler, struct item *items, uint64_t out, int64_t now)
{
    struct job *job;
    scheduler_begin(scheduler, now);
    while ((job = scheduler_next(scheduler)) != NULL) {
        struct item *item = (struct item *)job;
        item->set = scheduler_choose_gpus(scheduler, job);
        ck_assert_uint_eq(item->set & out, 0);
        ck_assert_uint_eq(
            (uint64_t)__builtin_popcountll(item->set),
            item->wanted.amount[RESOURCE_GPU_SHARE] > 0 ? 1 : item->wanted.amount[RESOURCE_GPUS]);
        item->run = scheduler_run_on(scheduler, job, now, item->set);
        scheduler_unqueue(scheduler, job);
        item->state = RUNNING;
        check_slots(items);
    }
}

static void see(struct scheduler *scheduler, struct item *items, uint64_t out, int64_t now)
{
    struct gpu_pool pool = *scheduler_gpus(scheduler);
    for (unsigned i = 0; i < GPUS; i++) {
        pool.slot[i].out = (out >> i & 1U) != 0;
        pool.slot[i].total_bytes = MEMORY;
    }
    scheduler_see_gpus(scheduler, &pool);
    for (unsigned i = 0; scheduler_gpus_changed(scheduler) || i < JOBS; i++) {
        if (i < JOBS && items[i].state == WAITING)
            scheduler_review(scheduler, &items[i].job, now);
    }
}

static void end(struct scheduler *scheduler, struct item *item, int64_t now)
{
    scheduler_end(scheduler, item->run, now);
    scheduler_forget(scheduler, &item->job);
    item->state = ABSENT;
}

static void add(struct scheduler *scheduler, struct item *item, uint64_t id, int64_t now)
{
    *item = (struct item){.job = {.id = id,
                                  .since = now,
                                  .level = 2,
                                  .estimate_us = rand() % 2 == 0 ? ESTIMATE_UNKNOWN : rand() % 9},
                          .wanted = random_ask(),
                          .state = WAITING};
    scheduler_learn(scheduler, &item->job, &item->wanted);
    scheduler_queue(scheduler, &item->job, now);
}

/* In the end all GPUs are there, and everything starts. */
START_TEST(nothing_is_given_twice_and_all_starts)
{
    struct scheduler_options options = {
        .total = {.amount = {[RESOURCE_CPUS] = 64, [RESOURCE_GPUS] = GPUS}}};
    static struct item items[JOBS];
    uint64_t out = 0;
    uint64_t id = 0;
    unsigned left = 0;
    int64_t now = 1;
    memset(items, 0, sizeof(items));
    srand((unsigned)_i + 1);
    options.queue.backfill = _i % 2 == 0 ? QUEUE_BACKFILL_EASY : QUEUE_BACKFILL_NONE;
    struct scheduler *scheduler = scheduler_new(&options);
    see(scheduler, items, out, now);
    for (; now < STEPS; now++) {
        struct item *item = &items[(unsigned)rand() % JOBS];
        if (rand() % 50 == 0)
            out = (uint64_t)rand() % (1U << GPUS);
        see(scheduler, items, out, now);
        if (item->state == RUNNING)
            end(scheduler, item, now);
        else if (item->state == ABSENT)
            add(scheduler, item, ++id, now);
        begin(scheduler, items, out, now);
    }
    for (out = 0; now < STEPS + (int)JOBS * 2; now++) {
        see(scheduler, items, out, now);
        begin(scheduler, items, out, now);
        for (unsigned i = 0; i < JOBS; i++) {
            if (items[i].state == RUNNING)
                end(scheduler, &items[i], now);
        }
    }
    for (unsigned i = 0; i < JOBS; i++)
        left += items[i].state != ABSENT;
    ck_assert_uint_eq(left, 0);
    ck_assert_uint_eq(gpu_pool_free(scheduler_gpus(scheduler)), GPUS);
    scheduler_free(scheduler);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("GPUs");
    TCase *one = tcase_create("GPUs");
    tcase_add_test(one, a_share_fills_the_fullest);
    tcase_add_test(one, memory_is_what_was_promised_or_is_in_use);
    tcase_add_test(one, one_that_is_out_keeps_what_it_has);
    tcase_add_loop_test(one, nothing_is_given_twice_and_all_starts, 0, 8);
    suite_add_tcase(suite, one);
    return suite_run(suite);
}
