/* Tasks that wait for another attempt, against a plain list. */
#include "daemon/core/task_waits.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

enum { TASKS = 300, STEPS = 20000 };

/* at: -1 it is not in, 0 it may start. */
struct model {
    int64_t at[TASKS];
};

static uint64_t dice(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* Each has memory of its own. */
static struct task_wait wait_of(uint64_t index, int64_t at)
{
    return (struct task_wait){
        .at = at, .index = (uint32_t)index, .memory_mib = (uint32_t)index * 3};
}

static int64_t first_later(const struct model *model)
{
    int64_t first = INT64_MAX;
    for (int i = 0; i < TASKS; i++) {
        if (model->at[i] > 0 && model->at[i] < first)
            first = model->at[i];
    }
    return first;
}

static int first_ready(const struct model *model)
{
    for (int i = 0; i < TASKS; i++) {
        if (model->at[i] == 0)
            return i;
    }
    return -1;
}

static bool seen[TASKS];

static bool note(void *arg, const struct task_wait *wait)
{
    (void)arg;
    seen[wait->index] = true;
    return true;
}

static bool is_even(void *arg, const struct task_wait *wait)
{
    (void)arg;
    return wait->index % 2 == 0;
}

/* At most so many others go. */
static void keep_even(struct task_waits *waits, struct model *model, size_t most)
{
    size_t odd = 0;
    bool more = task_waits_filter(waits, most, is_even, NULL);
    for (int i = 1; i < TASKS; i += 2)
        odd += model->at[i] >= 0;
    size_t left = odd < most ? 0 : odd - most;
    size_t gone = 0;
    for (int i = 0; i < TASKS; i++)
        seen[i] = false;
    (void)task_waits_filter(waits, SIZE_MAX, note, NULL);
    for (int i = 0; i < TASKS; i++) {
        ck_assert(model->at[i] >= 0 || !seen[i]);
        ck_assert(i % 2 == 1 || model->at[i] < 0 || seen[i]);
        gone += model->at[i] >= 0 && !seen[i];
        model->at[i] = seen[i] ? model->at[i] : -1;
    }
    ck_assert_uint_eq(odd - gone, left);
    ck_assert(more || left == 0);
}

static void step(struct task_waits *waits, struct model *model, int64_t now, uint64_t *state)
{
    uint64_t index = dice(state) % TASKS;
    if (model->at[index] < 0 && dice(state) % 2 == 0) {
        model->at[index] = dice(state) % 3 == 0 ? 0 : now + 1 + (int64_t)(dice(state) % 50);
        task_waits_add(waits, wait_of(index, model->at[index]));
    }
    task_waits_due(waits, now, SIZE_MAX);
    for (int i = 0; i < TASKS; i++)
        model->at[i] = model->at[i] > 0 && model->at[i] <= now ? 0 : model->at[i];
    ck_assert_int_eq(task_waits_next(waits), first_later(model));
    int first = first_ready(model);
    ck_assert_int_eq(first >= 0, task_waits_first(waits) != NULL);
    if (first >= 0 && dice(state) % 3 != 0) {
        ck_assert_uint_eq(task_waits_first(waits)->memory_mib, (unsigned)first * 3);
        ck_assert_uint_eq(task_waits_take(waits), (uint64_t)first);
        model->at[first] = -1;
    }
    if (dice(state) % 20 == 0 && task_waits_drop(waits, &index)) {
        ck_assert_int_ge(model->at[index], 0);
        model->at[index] = -1;
    }
    if (dice(state) % 500 == 0)
        keep_even(waits, model, dice(state) % 40);
}

START_TEST(as_a_list_does)
{
    struct task_waits waits = {.ready = {.waits = NULL}};
    struct model model;
    uint64_t state = 7;
    for (int i = 0; i < TASKS; i++)
        model.at[i] = -1;
    for (int64_t now = 1; now < STEPS; now++) {
        size_t count = 0;
        step(&waits, &model, now, &state);
        for (int i = 0; i < TASKS; i++)
            count += model.at[i] >= 0;
        ck_assert_uint_eq(task_waits_count(&waits), count);
    }
    task_waits_done(&waits);
}
END_TEST

START_TEST(all_at_once)
{
    struct task_waits waits = {.ready = {.waits = NULL}};
    for (uint64_t i = 0; i < 1000; i++)
        task_waits_add(&waits,
                       wait_of(i * 7919 % 1000, i % 3 == 0 ? 0 : (int64_t)(i * 31 % 97) + 1));
    task_waits_lift(&waits);
    ck_assert_int_eq(task_waits_next(&waits), INT64_MAX);
    for (uint64_t i = 0; i < 1000; i++) {
        ck_assert_uint_eq(task_waits_first(&waits)->memory_mib, i * 3);
        ck_assert_uint_eq(task_waits_take(&waits), i);
    }
    ck_assert_uint_eq(task_waits_count(&waits), 0);
    task_waits_lift(&waits);
    task_waits_done(&waits);
}
END_TEST

/* Those that stay are in their order whichever went, and all that were to go did. */
START_TEST(taken_out_of_many)
{
    uint64_t state = 11;
    for (unsigned round = 0; round < 300; round++) {
        struct task_waits waits = {.ready = {.waits = NULL}};
        const size_t most = round % 3 == 0 ? 40 : SIZE_MAX;
        int64_t before = 0;
        for (uint64_t i = 0; i < TASKS; i++)
            task_waits_add(&waits, wait_of(i, 1 + (int64_t)(dice(&state) % 1000)));
        bool more = task_waits_filter(&waits, most, is_even, NULL);
        ck_assert_uint_eq(more, most == 40);
        ck_assert_uint_eq(task_waits_count(&waits), more ? TASKS - 40 : TASKS / 2);
        while (task_waits_next(&waits) != INT64_MAX) {
            ck_assert_int_ge(task_waits_next(&waits), before);
            before = task_waits_next(&waits);
            task_waits_due(&waits, before, 1);
            ck_assert(task_waits_take(&waits) % 2 == 0 || more);
        }
        task_waits_done(&waits);
    }
}
END_TEST

START_TEST(so_many_at_once)
{
    struct task_waits waits = {.ready = {.waits = NULL}};
    for (uint64_t i = 0; i < 100; i++)
        task_waits_add(&waits, wait_of(99 - i, 1 + (int64_t)i));
    task_waits_due(&waits, 1000, 30);
    ck_assert_uint_eq(waits.ready.count, 30);
    ck_assert_uint_eq(task_waits_take(&waits), 70);
    ck_assert_int_eq(task_waits_next(&waits), 31);
    task_waits_done(&waits);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("task_waits");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, as_a_list_does);
    tcase_add_test(tcase, so_many_at_once);
    tcase_add_test(tcase, taken_out_of_many);
    tcase_add_test(tcase, all_at_once);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
