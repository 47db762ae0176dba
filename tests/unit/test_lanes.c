/* Several queues in one scheduler: whose turn it is, what slots and limits hold back, and that a
 * wide job of one is not starved by the small jobs of another. */
#include "tests/unit/scheduler_steps.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

#define JOBS 64U

static struct scheduler *new_scheduler(uint64_t cpus)
{
    const struct scheduler_options options = {
        .total.amount = {[RESOURCE_CPUS] = cpus},
        .queue = {.policy = QUEUE_FIFO, .backfill = QUEUE_BACKFILL_EASY, .weight = 1}};
    return scheduler_new(&options);
}

static uint8_t add_queue(struct scheduler *scheduler, uint32_t weight, uint32_t slots,
                         uint32_t per_user)
{
    const struct queue_settings settings = {.policy = QUEUE_FIFO,
                                            .backfill = QUEUE_BACKFILL_EASY,
                                            .weight = weight,
                                            .slots = slots,
                                            .per_user = per_user};
    int number = scheduler_add_queue(scheduler, &settings);
    ck_assert_int_gt(number, 0);
    return (uint8_t)number;
}

static struct job in_queue(uint64_t id, uint8_t queue)
{
    struct job job = a_job(id, 1, JOB_PRIORITY_NORMAL, 0);
    job.queue = queue;
    return job;
}

/* Fills `jobs` with jobs of one processor, one after another of each of the queues. */
static void fill(struct scheduler *scheduler, struct job *jobs, const uint8_t *queues, size_t count)
{
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i] = in_queue(i + 1, queues[i % count]);
        jobs[i].estimate_us = ESTIMATE_UNKNOWN;
        add(scheduler, &jobs[i], 1, 0);
    }
}

static void end_all(struct scheduler *scheduler, struct job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        scheduler_unqueue(scheduler, &jobs[i]);
        scheduler_forget(scheduler, &jobs[i]);
    }
    scheduler_free(scheduler);
}

START_TEST(weights_decide_between_queues)
{
    struct scheduler *scheduler = new_scheduler(8);
    const uint8_t queues[] = {add_queue(scheduler, 1, 0, 0), add_queue(scheduler, 3, 0, 0)};
    struct job jobs[JOBS];
    uint64_t run;
    fill(scheduler, jobs, queues, 2);
    scheduler_begin(scheduler, 0);
    while (start(scheduler, 0, &run) != NULL)
        continue;
    ck_assert_uint_eq(queue_running(scheduler_queue_at(scheduler, queues[0])), 2);
    ck_assert_uint_eq(queue_running(scheduler_queue_at(scheduler, queues[1])), 6);
    end_all(scheduler, jobs, JOBS);
}
END_TEST

START_TEST(slots_limits_and_pauses_hold_back)
{
    struct scheduler *scheduler = new_scheduler(60);
    const uint8_t queues[] = {add_queue(scheduler, 1, 3, 0), add_queue(scheduler, 1, 0, 2),
                              add_queue(scheduler, 1, 0, 0)};
    struct job jobs[JOBS];
    uint64_t runs[JOBS];
    size_t count = 0;
    fill(scheduler, jobs, queues, 3);
    scheduler_pause_queue(scheduler, queues[2], true);
    scheduler_begin(scheduler, 0);
    while (start(scheduler, 0, &runs[count]) != NULL)
        count++;
    ck_assert_uint_eq(count, 5);
    ck_assert_uint_eq(scheduler_reasons(scheduler, &jobs[30]), WAIT_PRIORITY);   /* of the slots */
    ck_assert_uint_eq(scheduler_reasons(scheduler, &jobs[31]), WAIT_USER_LIMIT); /* of the users */
    ck_assert_uint_eq(scheduler_reasons(scheduler, &jobs[32]), WAIT_QUEUE_PAUSED);
    for (size_t i = 0; i < count; i++)
        scheduler_end(scheduler, runs[i], 1);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(queue_running(scheduler_queue_at(scheduler, queues[i])), 0);
    scheduler_pause_queue(scheduler, queues[2], false);
    scheduler_begin(scheduler, 1);
    for (count = 0; start(scheduler, 1, &runs[count]) != NULL;)
        count++;
    ck_assert_uint_eq(count, 3 + 2 + 21);
    end_all(scheduler, jobs, JOBS);
}
END_TEST

/* One queue always has a job running, and wants three of four processors for its next; the other
 * has nothing but small jobs, of which one ends at a time. */
START_TEST(a_wide_job_waits_for_what_runs_only)
{
    struct scheduler *scheduler = new_scheduler(4);
    const uint8_t small = add_queue(scheduler, 1, 0, 0);
    const uint8_t wide = add_queue(scheduler, 1, 0, 0);
    struct job jobs[JOBS];
    struct job longest = in_queue(1000, wide);
    struct job wanted = in_queue(1001, wide);
    uint64_t run, runs[JOBS];
    size_t count = 0;
    size_t ended = 0;
    longest.estimate_us = ESTIMATE_UNKNOWN;
    add(scheduler, &longest, 1, 0);
    scheduler_begin(scheduler, 0);
    ck_assert_ptr_eq(start(scheduler, 0, &run), &longest);
    fill(scheduler, jobs, &small, 1);
    scheduler_begin(scheduler, 0);
    while (start(scheduler, 0, &runs[count]) != NULL)
        count++;
    add(scheduler, &wanted, 3, 0);
    for (int64_t now = 1; wanted.queued && now < 20; now++) {
        scheduler_end(scheduler, runs[ended++], now);
        scheduler_begin(scheduler, now);
        while (start(scheduler, now, &runs[count]) != NULL)
            count++;
    }
    ck_assert(!wanted.queued);
    ck_assert_uint_le(ended, 4);
    end_all(scheduler, jobs, JOBS);
}
END_TEST

/* What waits is in the order of the new policy, and nothing is lost; the first of a queue with
 * backfill none stops only its own. */
START_TEST(a_policy_changes_while_jobs_wait)
{
    struct scheduler *scheduler = new_scheduler(1);
    const uint8_t number = add_queue(scheduler, 1, 0, 0);
    struct queue_settings settings = {.policy = QUEUE_PRIORITY};
    struct job jobs[JOBS];
    uint64_t run;
    fill(scheduler, jobs, &number, 1);
    for (size_t i = 0; i < JOBS; i++) {
        scheduler_unqueue(scheduler, &jobs[i]);
        jobs[i].level = (JOBS - i) % JOB_PRIORITY_COUNT & JOB_LEVEL_MASK;
        scheduler_queue(scheduler, &jobs[i], 0);
    }
    scheduler_change_queue(scheduler, number, &settings, 0);
    uint64_t last = 0;
    for (size_t i = 0; i < JOBS; i++) {
        scheduler_begin(scheduler, 0);
        const struct job *next = start(scheduler, 0, &run);
        ck_assert_ptr_nonnull(next);
        uint64_t key = next->level * UINT64_C(1000) + next->id;
        ck_assert_uint_gt(key, last);
        last = key;
        scheduler_end(scheduler, run, 0);
    }
    ck_assert_ptr_null(scheduler_first(scheduler));
    scheduler_remove_queue(scheduler, number);
    ck_assert_uint_eq(add_queue(scheduler, 1, 0, 0), number); /* a number is used again */
    end_all(scheduler, jobs, JOBS);
}
END_TEST

/* So many rounds, one each second, until jobs[which] starts, at most `rounds`. The others come
 * again when they end, so that there is no end of them. */
static size_t rounds_until_started(struct scheduler *scheduler, size_t which, struct job *jobs,
                                   size_t rounds)
{
    uint64_t runs[JOBS] = {0};
    int64_t ends[JOBS] = {0};
    for (size_t round = 0; round < rounds; round++) {
        int64_t now = (int64_t)round * SECONDS(1);
        struct job *job;
        uint64_t run;
        for (size_t i = 0; i < JOBS; i++) {
            if (runs[i] == 0 || ends[i] > now)
                continue;
            scheduler_end(scheduler, runs[i], now);
            runs[i] = 0;
            jobs[i].id += JOBS;
            jobs[i].since = now;
            scheduler_queue(scheduler, &jobs[i], now);
        }
        scheduler_begin(scheduler, now);
        while ((job = start(scheduler, now, &run)) != NULL) {
            if (job == &jobs[which])
                return round;
            runs[job - jobs] = run;
            ends[job - jobs] = now + job->estimate_us;
        }
    }
    return rounds;
}

/* Jobs of 5 processors and some seconds in one queue, and small short ones in another. */
static void fill_unequal(struct scheduler *scheduler, struct job *jobs, uint8_t fives,
                         uint8_t small)
{
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i] = in_queue(i + 1, i % 2 == 0 ? fives : small);
        jobs[i].estimate_us = SECONDS(i % 2 == 0 ? 5 + (int64_t)i % 7 : 2 + (int64_t)i % 3);
        add(scheduler, &jobs[i], i % 2 == 0 ? 5 : 1, 0);
    }
}

/* The wide job's own queue has small ones that pass it, so that the other, whose first is blocked
 * as well, has always less running for its weight. */
START_TEST(a_wide_job_is_not_passed_for_ever_in_two_queues)
{
    struct scheduler *scheduler = new_scheduler(14);
    const uint8_t heavy = add_queue(scheduler, 100, 0, 0);
    const uint8_t mixed = add_queue(scheduler, 1, 0, 0);
    struct job jobs[JOBS];
    fill_unequal(scheduler, jobs, heavy, mixed);
    scheduler_unqueue(scheduler, &jobs[1]);
    scheduler_forget(scheduler, &jobs[1]);
    jobs[1].id += JOBS; /* comes first when the others have run once */
    add(scheduler, &jobs[1], 14, 0);
    size_t round = rounds_until_started(scheduler, 1, jobs, 3000);
    ck_assert_uint_lt(round, 100);
    end_all(scheduler, jobs, JOBS);
}
END_TEST

/* Three queues of jobs that have the machine to themselves: each has its turn, and the heavy one
 * goes next whenever another has a job running. */
START_TEST(queues_take_turns_where_one_job_runs)
{
    struct scheduler *scheduler = new_scheduler(1);
    const uint8_t queues[] = {add_queue(scheduler, 1, 0, 0), add_queue(scheduler, 1, 0, 0),
                              add_queue(scheduler, 3, 0, 0)};
    struct job jobs[JOBS];
    size_t started[3] = {0};
    uint64_t run;
    fill(scheduler, jobs, queues, 3);
    for (size_t i = 0; i < 24; i++) {
        scheduler_begin(scheduler, (int64_t)i);
        const struct job *job = start(scheduler, (int64_t)i, &run);
        ck_assert_ptr_nonnull(job);
        started[job->queue - queues[0]]++;
        ck_assert_ptr_null(scheduler_next(scheduler));
        scheduler_end(scheduler, run, (int64_t)i + 1);
    }
    ck_assert_uint_eq(started[0], 7);
    ck_assert_uint_eq(started[1], 6);
    ck_assert_uint_eq(started[2], 11);
    end_all(scheduler, jobs, JOBS);
}
END_TEST

/* A queue that had nothing to start has no turns saved up. */
START_TEST(who_was_away_has_two_turns_not_all_that_were_missed)
{
    struct scheduler *scheduler = new_scheduler(1);
    const uint8_t queues[] = {add_queue(scheduler, 1, 0, 0), add_queue(scheduler, 1, 0, 0)};
    struct job jobs[JOBS];
    size_t late = 0;
    uint64_t run;
    fill(scheduler, jobs, queues, 2);
    for (size_t i = 1; i < JOBS; i += 2)
        scheduler_unqueue(scheduler, &jobs[i]);
    for (size_t i = 0; i < 20; i++) {
        if (i == 10) {
            for (size_t at = 1; at < JOBS; at += 2)
                scheduler_queue(scheduler, &jobs[at], (int64_t)i);
        }
        scheduler_begin(scheduler, (int64_t)i);
        const struct job *job = start(scheduler, (int64_t)i, &run);
        ck_assert_ptr_nonnull(job);
        late += job->queue == queues[1];
        scheduler_end(scheduler, run, (int64_t)i + 1);
    }
    ck_assert_uint_eq(late, 6);
    end_all(scheduler, jobs, JOBS);
}
END_TEST

/* A queue that had much to start while another had nothing is not made to wait for it. */
START_TEST(who_was_alone_has_its_turn_all_the_same)
{
    struct scheduler *scheduler = new_scheduler(1);
    const uint8_t queues[] = {add_queue(scheduler, 1, 0, 0), add_queue(scheduler, 1, 0, 0)};
    struct job jobs[JOBS];
    size_t before = 0;
    uint64_t run;
    fill(scheduler, jobs, queues, 2);
    for (size_t i = 1; i < JOBS; i += 2)
        scheduler_unqueue(scheduler, &jobs[i]);
    for (size_t i = 0; i < JOBS / 2; i++) { /* one a round, and nothing is reserved for */
        scheduler_begin(scheduler, (int64_t)i);
        ck_assert_ptr_nonnull(start(scheduler, (int64_t)i, &run));
        scheduler_end(scheduler, run, (int64_t)i + 1);
    }
    for (size_t i = 1; i < JOBS; i += 2)
        scheduler_queue(scheduler, &jobs[i], JOBS);
    scheduler_queue(scheduler, &jobs[0], JOBS);
    for (const struct job *job = NULL; job != &jobs[0]; before++) {
        scheduler_begin(scheduler, JOBS);
        job = start(scheduler, JOBS, &run);
        ck_assert_ptr_nonnull(job);
        scheduler_end(scheduler, run, JOBS);
    }
    ck_assert_uint_le(before, 3); /* itself is the third */
    end_all(scheduler, jobs, JOBS);
}
END_TEST

/* A job past the max_delay of its queue goes before what other queues have, whatever their weights
 * and whatever runs of its own. */
START_TEST(an_overdue_job_goes_before_other_queues)
{
    struct scheduler *scheduler = new_scheduler(14);
    const uint8_t heavy = add_queue(scheduler, 1000, 0, 0);
    struct queue_settings settings = *queue_settings(scheduler_queue_at(scheduler, heavy));
    settings.weight = 1;
    settings.max_delay_us = SECONDS(40);
    int patient = scheduler_add_queue(scheduler, &settings);
    struct job jobs[JOBS];
    fill_unequal(scheduler, jobs, heavy, (uint8_t)patient);
    for (size_t i = 1; i < JOBS; i += 2)
        scheduler_unqueue(scheduler, &jobs[i]);
    jobs[1].estimate_us = SECONDS(100000); /* the queue has always more running for its weight */
    scheduler_queue(scheduler, &jobs[1], 0);
    scheduler_forget(scheduler, &jobs[3]);
    add(scheduler, &jobs[3], 13, 0);
    size_t round = rounds_until_started(scheduler, 3, jobs, 3000);
    ck_assert_uint_ge(round, 40);
    ck_assert_uint_le(round, 40 + 11);
    end_all(scheduler, jobs, JOBS);
}
END_TEST

/* The one whose delay ended first goes first. */
START_TEST(overdue_jobs_of_queues_go_by_their_delay)
{
    struct scheduler *scheduler = new_scheduler(1);
    struct queue_settings settings = {
        .policy = QUEUE_FIFO, .weight = 1, .max_delay_us = SECONDS(9)};
    uint8_t queues[3];
    struct job jobs[JOBS];
    static const int64_t since[] = {SECONDS(3), SECONDS(1), SECONDS(2)};
    static const uint64_t order[] = {2, 3, 1};
    uint64_t run;
    for (size_t i = 0; i < 3; i++)
        queues[i] = (uint8_t)scheduler_add_queue(scheduler, &settings);
    for (size_t i = 0; i < 3; i++) {
        jobs[i] = in_queue(i + 1, queues[i]);
        jobs[i].since = since[i];
        add(scheduler, &jobs[i], 1, SECONDS(4));
    }
    for (size_t i = 0; i < 3; i++) {
        int64_t now = SECONDS(20 + (int64_t)i);
        scheduler_begin(scheduler, now);
        const struct job *job = start(scheduler, now, &run);
        ck_assert_ptr_nonnull(job);
        ck_assert_uint_eq(job->id, order[i]);
        ck_assert_ptr_null(scheduler_next(scheduler));
        scheduler_end(scheduler, run, now);
    }
    end_all(scheduler, jobs, 3);
}
END_TEST

/* What is handed ahead starts where another one of its queue ends: no turn is kept for it. */
START_TEST(what_is_handed_ahead_had_its_turn)
{
    struct scheduler *scheduler = new_scheduler(1);
    const uint8_t queues[] = {add_queue(scheduler, 1, 0, 0), add_queue(scheduler, 1, 0, 0)};
    struct job jobs[3] = {in_queue(1, queues[0]), in_queue(2, queues[0]), in_queue(3, queues[1])};
    int64_t at;
    uint64_t run;
    add(scheduler, &jobs[0], 1, 0);
    add(scheduler, &jobs[1], 1, 0);
    scheduler_begin(scheduler, 0);
    ck_assert_ptr_eq(start(scheduler, 0, &run), &jobs[0]);
    ck_assert_ptr_null(scheduler_next(scheduler));
    ck_assert_ptr_eq(scheduler_reserved(scheduler, &at), &jobs[1]);
    ck_assert_int_eq(scheduler_owed(scheduler), queues[0]);
    scheduler_hand_ahead(scheduler, &jobs[1]);
    ck_assert_int_eq(scheduler_owed(scheduler), -1);
    add(scheduler, &jobs[2], 1, 1);
    scheduler_begin(scheduler, 1);
    ck_assert_ptr_null(scheduler_next(scheduler));
    ck_assert_ptr_eq(scheduler_reserved(scheduler, &at), &jobs[2]);
    scheduler_hand_ahead(scheduler, &jobs[1]); /* it is not its turn */
    ck_assert_int_eq(scheduler_owed(scheduler), queues[1]);
    scheduler_end(scheduler, run, 2);
    end_all(scheduler, jobs, 3);
}
END_TEST

/* It was reserved for, and is cancelled: the other queue, which has less running, goes first at
 * once. Where it only stands in another place, its queue keeps its turn. */
START_TEST(nothing_is_owed_for_a_job_that_left)
{
    struct scheduler *scheduler = new_scheduler(1);
    const uint8_t queues[] = {add_queue(scheduler, 1, 0, 0), add_queue(scheduler, 1, 0, 0)};
    struct job jobs[4] = {in_queue(1, queues[0]), in_queue(2, queues[0]), in_queue(3, queues[0]),
                          in_queue(4, queues[1])};
    int64_t at;
    uint64_t run;
    for (size_t i = 0; i < 3; i++)
        add(scheduler, &jobs[i], 1, 0);
    scheduler_begin(scheduler, 0);
    ck_assert_ptr_eq(start(scheduler, 0, &run), &jobs[0]);
    ck_assert_ptr_null(scheduler_next(scheduler));
    ck_assert_ptr_eq(scheduler_reserved(scheduler, &at), &jobs[1]);
    add(scheduler, &jobs[3], 1, 1);
    scheduler_unqueue(scheduler, &jobs[1]);
    ck_assert_int_eq(scheduler_owed(scheduler), -1);
    scheduler_queue(scheduler, &jobs[1], 1);
    ck_assert_int_eq(scheduler_owed(scheduler), queues[0]);
    scheduler_begin(scheduler, 1);
    ck_assert_ptr_null(scheduler_next(scheduler));
    ck_assert_ptr_eq(scheduler_reserved(scheduler, &at), &jobs[1]);
    scheduler_unqueue(scheduler, &jobs[1]);
    scheduler_begin(scheduler, 2);
    ck_assert_ptr_null(scheduler_next(scheduler));
    ck_assert_ptr_eq(scheduler_reserved(scheduler, &at), &jobs[3]);
    ck_assert_int_eq(scheduler_owed(scheduler), queues[1]);
    scheduler_end(scheduler, run, 2);
    end_all(scheduler, jobs, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queues of a scheduler");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, weights_decide_between_queues);
    tcase_add_test(tests, slots_limits_and_pauses_hold_back);
    tcase_add_test(tests, a_wide_job_waits_for_what_runs_only);
    tcase_add_test(tests, a_wide_job_is_not_passed_for_ever_in_two_queues);
    tcase_add_test(tests, queues_take_turns_where_one_job_runs);
    tcase_add_test(tests, who_was_away_has_two_turns_not_all_that_were_missed);
    tcase_add_test(tests, who_was_alone_has_its_turn_all_the_same);
    tcase_add_test(tests, an_overdue_job_goes_before_other_queues);
    tcase_add_test(tests, overdue_jobs_of_queues_go_by_their_delay);
    tcase_add_test(tests, a_policy_changes_while_jobs_wait);
    tcase_add_test(tests, what_is_handed_ahead_had_its_turn);
    tcase_add_test(tests, nothing_is_owed_for_a_job_that_left);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
