/* The order of what waits and of what runs, with so many that the trees and blocks split and merge,
 * against lists that are searched from end to end. */
#include "tests/unit/scheduler_steps.h"

#include "daemon/core/ready_set.h"
#include "daemon/core/running_set.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

enum { JOBS = 4000, CHANGES = 24000, LOOKS = 25, WIDEST = 40 };

struct many {
    struct ready_set set;
    struct request_table *requests;
    struct job jobs[JOBS];
    bool in[JOBS];
};

static bool stands_before(const struct many *many, const struct job *a, const struct job *b)
{
    struct ready_key first = ready_key(many->set.order, a);
    struct ready_key second = ready_key(many->set.order, b);
    return ready_key_before(&first, &second);
}

static void put(struct many *many, int number)
{
    struct job *job = &many->jobs[number];
    const struct resources wanted = {
        .amount = {[RESOURCE_CPUS] = (uint64_t)(rand() % 3 == 0 ? rand() % WIDEST : 1 + rand() % 9),
                   [RESOURCE_MEMORY] = (uint64_t)(rand() % 4)}};
    *job = a_job((uint64_t)number + 1, 1, 2, rand() % 50);
    job->rank = (uint8_t)(rand() % 5) & JOB_LEVEL_MASK;
    job->estimate_us = rand() % 9 == 0 ? ESTIMATE_UNKNOWN : rand() % SECONDS(300);
    job->request = request_table_take(many->requests, &wanted);
    job->cpus = (uint32_t)wanted.amount[RESOURCE_CPUS];
    ready_set_insert(&many->set, job);
    many->in[number] = true;
}

static void drop(struct many *many, int number)
{
    ready_set_remove(&many->set, &many->jobs[number]);
    request_table_release(many->requests, many->jobs[number].request);
    many->in[number] = false;
}

/* NULL for limits: of all; for before: wherever it stands. */
static struct job *naive_first(struct many *many, const struct ready_limits *limits,
                               const struct job *before)
{
    struct job *best = NULL;
    for (int i = 0; i < JOBS; i++) {
        struct job *job = &many->jobs[i];
        if (many->in[i] && (limits == NULL || ready_fits(job, limits)) &&
            (before == NULL || stands_before(many, job, before)) &&
            (best == NULL || stands_before(many, job, best)))
            best = job;
    }
    return best;
}

static struct resources some(uint64_t cpus, uint64_t memory)
{
    return (struct resources){.amount = {[RESOURCE_CPUS] = cpus, [RESOURCE_MEMORY] = memory}};
}

static void look(struct many *many)
{
    struct ready_limits limits = {.requests = many->requests,
                                  .free = some((uint64_t)(rand() % WIDEST), 3),
                                  .window_us = rand() % SECONDS(20),
                                  .visits = UINT64_MAX};
    limits.left_over = some((uint64_t)(rand() % 2 == 0 ? 0 : rand() % 4), (uint64_t)(rand() % 3));
    if (rand() % 4 == 0)
        limits.window_us = NEVER;
    const struct ready_search search = ready_search_of(&limits);
    const struct job *bound = rand() % 2 == 0 ? NULL : &many->jobs[rand() % JOBS];
    if (bound != NULL && !many->in[bound - many->jobs])
        bound = NULL;
    struct ready_key key = {0};
    if (bound != NULL)
        key = ready_key(many->set.order, bound);
    ck_assert_ptr_eq(ready_set_fitting(&many->set, &search, bound == NULL ? NULL : &key),
                     naive_first(many, &limits, bound));
}

static void check_next(struct job *job, void *arg)
{
    struct many *many = arg;
    static const struct job *last;
    static size_t seen;
    if (job == many->set.first)
        seen = 0;
    else
        ck_assert(stands_before(many, last, job));
    last = job;
    ck_assert_uint_le(++seen, many->set.count);
    ck_assert(many->in[job - many->jobs]);
}

/* Grows, stays, and shrinks to nothing, by what comes first or by whatever. */
START_TEST(a_set_is_a_sorted_list)
{
    static struct many many;
    srand((unsigned)_i + 1);
    many = (struct many){.set = {.order = (enum ready_order)(_i % 4)},
                         .requests = request_table_new()};
    for (int change = 0; change < CHANGES || many.set.count > 0; change++) {
        int number = change < JOBS ? change : rand() % JOBS;
        bool grows = change < CHANGES / 2;
        if (!many.in[number] && change < CHANGES && (grows || rand() % 4 == 0))
            put(&many, number);
        else if (many.in[number] && rand() % 2 == 0)
            drop(&many, number);
        else if (many.set.count > 0 && !grows && _i < 4)
            drop(&many, (int)(many.set.first - many.jobs));
        if (change % LOOKS == 0) {
            ck_assert_ptr_eq(many.set.first, naive_first(&many, NULL, NULL));
            look(&many);
        }
        if (change % (LOOKS * 100) == 0)
            ready_set_walk(&many.set, check_next, &many);
    }
    ck_assert_ptr_null(many.set.root);
    ready_set_done(&many.set);
    request_table_free(many.requests);
}
END_TEST

/* ---- what runs ---- */

enum { RUNNING = 1500, MACHINE = 4000 };

struct crowd {
    struct running_set set;
    struct request_table *requests;
    struct running jobs[RUNNING];
    uint64_t cpus[RUNNING];
    struct occupancy machine;
};

static void start_one(struct crowd *crowd, int number, int64_t now)
{
    struct running *one = &crowd->jobs[number];
    crowd->cpus[number] = 1 + (uint64_t)(rand() % 4);
    const struct resources wanted = some(crowd->cpus[number], 0);
    if (crowd->machine.used.amount[RESOURCE_CPUS] + crowd->cpus[number] > MACHINE)
        return;
    *one = (struct running){.request = request_table_take(crowd->requests, &wanted),
                            .uid = (uint32_t)number,
                            .ends_at = rand() % 20 == 0 ? NEVER : now + rand() % 600};
    one->run = running_set_add(&crowd->set, crowd->requests, one);
    resources_add(&crowd->machine.used, &wanted);
}

static void end_it(struct crowd *crowd, int number)
{
    struct running was;
    uint64_t run = crowd->jobs[number].run;
    const struct resources held = some(crowd->cpus[number], 0);
    ck_assert(running_set_take(&crowd->set, crowd->requests, run, &was));
    ck_assert(!running_set_take(&crowd->set, crowd->requests, run, &was));
    ck_assert_uint_eq(was.uid, (unsigned)number);
    request_table_release(crowd->requests, was.request);
    resources_take(&crowd->machine.used, &held);
    crowd->jobs[number].run = 0;
}

/* Of those that run the first by end, then number, that is after `last` and ends within the times.
 */
static const struct running *next_end(const struct crowd *crowd, const struct running *last,
                                      int64_t from, int64_t to)
{
    const struct running *best = NULL;
    for (int i = 0; i < RUNNING; i++) {
        const struct running *one = &crowd->jobs[i];
        if (one->run == 0 || one->ends_at < from || one->ends_at > to)
            continue;
        bool after = last == NULL || one->ends_at > last->ends_at ||
                     (one->ends_at == last->ends_at && one->run > last->run);
        if (after && (best == NULL || one->ends_at < best->ends_at ||
                      (one->ends_at == best->ends_at && one->run < best->run)))
            best = one;
    }
    return best;
}

static int64_t naive_room(const struct crowd *crowd, uint64_t wanted, int64_t now,
                          uint64_t *ret_free)
{
    const int64_t parts[][2] = {{now, NEVER - 1}, {INT64_MIN, now - 1}, {NEVER, NEVER}};
    uint64_t there = MACHINE - crowd->machine.used.amount[RESOURCE_CPUS];
    for (int part = 0; part < 3; part++) {
        const struct running *one = NULL;
        while ((part == 0 || there < wanted) &&
               (one = next_end(crowd, one, parts[part][0], parts[part][1])) != NULL) {
            const struct running *behind = next_end(crowd, one, parts[part][0], parts[part][1]);
            there += crowd->cpus[one->uid];
            *ret_free = there;
            if (part == 0 && there >= wanted && (behind == NULL || behind->ends_at > one->ends_at))
                return one->ends_at;
        }
    }
    *ret_free = there;
    return NEVER;
}

START_TEST(what_runs_is_a_sorted_list)
{
    static struct crowd crowd;
    srand((unsigned)_i + 1);
    crowd = (struct crowd){.requests = request_table_new(), .machine.total = some(MACHINE, 0)};
    for (int step = 0; step < 10000; step++) {
        int number = rand() % RUNNING;
        if (crowd.jobs[number].run != 0 && rand() % 3 == 0)
            end_it(&crowd, number);
        else if (crowd.jobs[number].run == 0)
            start_one(&crowd, number, step / 10);
        if (step % 2500 != 2499)
            continue;
        uint64_t expected = 0;
        uint64_t wanted = (uint64_t)(1 + rand() % MACHINE);
        struct occupancy then = crowd.machine;
        int64_t at = naive_room(&crowd, wanted, step / 10, &expected);
        const struct resources asked = some(wanted, 0);
        if (crowd.machine.used.amount[RESOURCE_CPUS] + wanted <= MACHINE)
            continue; /* it fits now: nobody asks */
        ck_assert_int_eq(running_set_room(&crowd.set, crowd.requests, &asked, step / 10, &then),
                         at);
        ck_assert_uint_eq(MACHINE - then.used.amount[RESOURCE_CPUS], expected);
    }
    ck_assert_uint_gt(crowd.set.block_count, 8);
    for (int i = 0; i < RUNNING; i++) {
        if (crowd.jobs[i].run != 0)
            end_it(&crowd, i);
    }
    ck_assert_uint_eq(crowd.machine.used.amount[RESOURCE_CPUS], 0);
    running_set_done(&crowd.set);
    request_table_free(crowd.requests);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("the order of what waits and of what runs");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_set_is_a_sorted_list, 0, 8);
    tcase_add_loop_test(tests, what_runs_is_a_sorted_list, 0, 10);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
