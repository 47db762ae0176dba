/* Units on several threads: how many are at work at once, that a long one does not keep others
 * waiting, and how all end when one fails. */
#include "processors/lib/lanes.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { LONG_ONE = 9, FAILING = 8 };

struct scene {
    atomic_uint at_work, most;
    atomic_uint ended; /* the short ones */
    atomic_bool long_begun, long_ended;
    atomic_bool between; /* a short one ended then */
};

/* Works for a millisecond of the lane's turn. */
static int work(struct scene *scene, struct lane *lane, struct error *err)
{
    const struct timespec millisecond = {.tv_nsec = 1000000};
    const unsigned now = atomic_fetch_add(&scene->at_work, 1) + 1;
    unsigned most = atomic_load(&scene->most);
    while (now > most && !atomic_compare_exchange_weak(&scene->most, &most, now))
        ;
    (void)nanosleep(&millisecond, NULL);
    (void)atomic_fetch_sub(&scene->at_work, 1);
    return lane_advance(lane, 1, err);
}

static int make_long(struct scene *scene, struct lane *lane, struct error *err)
{
    atomic_store(&scene->long_begun, true);
    for (unsigned i = 0; i < 300; i++) {
        if (work(scene, lane, err) < 0)
            return -1;
    }
    atomic_store(&scene->long_ended, true);
    return 0;
}

/* Once the long one is at work. */
static int make_failing(struct scene *scene, struct lane *lane, struct error *err)
{
    while (!atomic_load(&scene->long_begun)) {
        if (work(scene, lane, err) < 0)
            return -1;
    }
    return error_set(err, ERROR_DAMAGED, "unit %d fails", FAILING);
}

static int make(void *arg, struct lane *lane, unsigned unit, struct error *err)
{
    struct scene *scene = arg;
    if (unit == LONG_ONE)
        return make_long(scene, lane, err);
    if (unit == FAILING)
        return make_failing(scene, lane, err);
    for (unsigned i = 0; i < 50; i++) {
        if (work(scene, lane, err) < 0)
            return -1;
    }
    if (atomic_load(&scene->long_begun) && !atomic_load(&scene->long_ended))
        atomic_store(&scene->between, true);
    (void)atomic_fetch_add(&scene->ended, 1);
    return 0;
}

static int run(struct scene *scene, unsigned threads, const unsigned *units, size_t count,
               struct error *err)
{
    const struct lanes_work lanes = {.threads = threads,
                                     .units = units,
                                     .count = count,
                                     .long_count = units[0] == LONG_ONE ? 1 : 0,
                                     .make = make,
                                     .arg = scene,
                                     .total = 1000,
                                     .to = 1};
    return lanes_run(&lanes, err);
}

START_TEST(no_more_than_asked_for_are_at_work)
{
    static const unsigned units[] = {LONG_ONE, 0, 1, 2, 3, 4};
    const unsigned threads = (unsigned)_i;
    struct error err;
    struct scene scene = {0};
    ck_assert_int_eq(run(&scene, threads, units, 6, &err), 0);
    ck_assert_uint_eq(atomic_load(&scene.ended), 5);
    ck_assert_uint_eq(atomic_load(&scene.most), threads);
}
END_TEST

START_TEST(a_long_one_does_not_keep_others_waiting)
{
    static const unsigned units[] = {LONG_ONE, 0};
    struct error err;
    struct scene scene = {0};
    ck_assert_int_eq(run(&scene, 1, units, 2, &err), 0);
    ck_assert(atomic_load(&scene.between));
}
END_TEST

START_TEST(one_alone)
{
    static const unsigned long_one[] = {LONG_ONE};
    static const unsigned other[] = {3};
    struct error err;
    struct scene scene = {0};
    ck_assert_int_eq(run(&scene, 4, long_one, 1, &err), 0);
    ck_assert_int_eq(run(&scene, 4, other, 1, &err), 0);
    ck_assert(atomic_load(&scene.long_ended));
    ck_assert_uint_eq(atomic_load(&scene.ended), 1);
}
END_TEST

START_TEST(all_end_when_one_fails)
{
    static const unsigned units[] = {LONG_ONE, FAILING, 0, 1, 2, 3};
    struct error err;
    struct scene scene = {0};
    ck_assert_int_eq(run(&scene, 2, units, 6, &err), -1);
    ck_assert_int_eq(err.code, ERROR_DAMAGED);
    ck_assert_str_eq(err.text, "unit 8 fails");
    ck_assert(!atomic_load(&scene.long_ended));
    ck_assert_uint_lt(atomic_load(&scene.ended), 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lanes of a processor");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, no_more_than_asked_for_are_at_work, 1, 4);
    tcase_add_test(all, a_long_one_does_not_keep_others_waiting);
    tcase_add_test(all, one_alone);
    tcase_add_test(all, all_end_when_one_fails);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
