/* How many workers there are to be: its rules one by one, and whole days of work, where it is
 * compared with a pool that always has as many as there may be. */
#include "tests/unit/scaler_simulation.h"
#include "tests/unit/suite.h"

#include <inttypes.h>
#include <math.h>

#define HOLD (10 * S) /* as workers.idle_exit */

static const struct scaler_class ten = {.waiting = 10, .estimate_us = -1};

static struct scaler_decision step(struct scaler *scaler, struct scaler_input input)
{
    struct scaler_decision decision;
    scaler_step(scaler, &input, &decision);
    return decision;
}

/* What most tests ask: ten jobs wait, all of them fit, up to 32 workers. */
static struct scaler_input ten_wait(int64_t now)
{
    return (struct scaler_input){.now = now,
                                 .max = 32,
                                 .room = 10,
                                 .classes = &ten,
                                 .class_count = 1,
                                 .open = true,
                                 .load = -1};
}

START_TEST(up_at_once_for_each_job_that_could_start)
{
    struct scaler scaler = {.hold_us = HOLD};
    struct scaler_input input = ten_wait(S);
    ck_assert_uint_eq(step(&scaler, input).needed, 10);
    ck_assert_int_eq(step(&scaler, input).reason, SCALER_WORK);
    input.room = 3;
    ck_assert_uint_eq(step(&scaler, input).needed, 3);
    input.busy = input.workers = 4;
    ck_assert_uint_eq(step(&scaler, input).needed, 7);
}
END_TEST

START_TEST(never_out_of_its_bounds)
{
    struct scaler scaler = {.hold_us = HOLD};
    struct scaler_input input = ten_wait(S);
    input.max = 6;
    struct scaler_decision decision = step(&scaler, input);
    ck_assert_uint_eq(decision.needed, 6);
    ck_assert_int_eq(decision.reason, SCALER_MAXIMUM);
    input.leaving = 2; /* what leaves still has a job: it counts */
    decision = step(&scaler, input);
    ck_assert_uint_eq(decision.needed, 4);
    ck_assert_uint_eq(decision.most, 4);
    input = (struct scaler_input){.now = 2 * S, .min = 2, .max = 6, .open = true, .load = -1};
    decision = step(&scaler, input);
    ck_assert_uint_eq(decision.needed, 2);
    ck_assert_uint_eq(decision.kept, 4);
    input.max = 3;
    input.workers = 6;
    ck_assert_uint_eq(step(&scaler, input).kept, 3);
    input.max = 6; /* and what was cut off does not come back with the limit */
    ck_assert_uint_eq(step(&scaler, input).kept, 3);
    ck_assert_uint_eq(step(&scaler, input).needed, 2);
}
END_TEST

START_TEST(down_after_the_hold_and_in_steps)
{
    struct scaler scaler = {.hold_us = HOLD};
    struct scaler_input idle = {.max = 32, .workers = 10, .open = true, .load = -1};
    (void)step(&scaler, ten_wait(0));
    for (idle.now = 0; idle.now < HOLD; idle.now += S)
        ck_assert_uint_eq(step(&scaler, idle).kept, 10);
    ck_assert_int_eq(step(&scaler, idle).reason, SCALER_LATELY);
    uint32_t before = 10;
    unsigned steps = 0;
    for (; idle.now < 2 * HOLD; idle.now += S) {
        uint32_t kept = step(&scaler, idle).kept;
        ck_assert_uint_ge(kept, before / 2); /* half of them at most */
        steps += kept < before;
        before = kept;
    }
    ck_assert_uint_eq(before, 0);
    ck_assert_uint_ge(steps, 4);
}
END_TEST

START_TEST(short_jobs_share_a_worker)
{
    struct scaler scaler = {.hold_us = HOLD};
    struct scaler_class brief = {.waiting = 10, .estimate_us = SCALER_START_US / 5 - 1};
    struct scaler_input input = ten_wait(S);
    input.classes = &brief;
    ck_assert_uint_eq(step(&scaler, input).needed, 2);
    input.busy = input.workers = input.soon = 1; /* which takes its part */
    ck_assert_uint_eq(step(&scaler, input).needed, 2);
    brief.waiting = 1;
    ck_assert_uint_eq(step(&scaler, input).needed, 1);
    input.soon = 0; /* it is about to end nothing */
    ck_assert_uint_eq(step(&scaler, input).needed, 2);
    brief.estimate_us = 0;
    brief.waiting = UINT64_MAX;
    ck_assert_uint_eq(step(&scaler, input).needed, 11);
}
END_TEST

START_TEST(a_machine_that_takes_no_job_gets_no_worker)
{
    struct scaler scaler = {.hold_us = HOLD};
    struct scaler_input input = ten_wait(S);
    input.open = false;
    input.min = input.busy = input.workers = 1;
    struct scaler_decision decision = step(&scaler, input);
    ck_assert_uint_eq(decision.needed, 1);
    ck_assert_int_eq(decision.reason, SCALER_CLOSED);
}
END_TEST

START_TEST(where_the_load_is_high_the_number_doubles_each_second)
{
    struct scaler scaler = {.hold_us = HOLD};
    struct scaler_input input = ten_wait(100 * S);
    static const uint32_t seconds[] = {1, 2, 4, 8, 10};
    input.load = SCALER_LOAD_MAX;
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        struct scaler_decision decision = step(&scaler, input);
        ck_assert_uint_eq(decision.needed, seconds[i]);
        ck_assert_int_eq(decision.reason, seconds[i] < 10 ? SCALER_LOAD : SCALER_WORK);
        input.workers = input.busy = seconds[i];
        input.room = 10 - seconds[i];
        ck_assert_uint_eq(step(&scaler, input).needed, seconds[i]); /* not yet */
        input.now += S;
    }
}
END_TEST

/* A daemon that finds workers does not know since when they have had nothing to do. */
START_TEST(those_that_are_found_at_the_start_stay_a_while)
{
    struct scaler scaler = {.hold_us = HOLD};
    struct scaler_input input = {.now = 7 * S, .max = 8, .workers = 5, .open = true, .load = -1};
    ck_assert_uint_eq(step(&scaler, input).kept, 5);
    ck_assert_uint_eq(step(&scaler, input).needed, 0);
    input.now += HOLD - 1;
    ck_assert_uint_eq(step(&scaler, input).kept, 5);
    input.now += HOLD;
    ck_assert_uint_lt(step(&scaler, input).kept, 5);
}
END_TEST

/* ---- days ---- */

#define DAY (86400 * S)
#define JOBS_MAX 400000

static double chance(void)
{
    return ((double)rand() + 1) / ((double)RAND_MAX + 2);
}

static double exponential(double mean)
{
    return -mean * log(chance());
}

/* Of a mean of about 20 s, and a few of many minutes. */
static int64_t some_time(void)
{
    double normal = sqrt(-2 * log(chance())) * cos(2 * M_PI * chance());
    double seconds = exp(2.0 + 1.4 * normal);
    return (int64_t)((seconds < 3600 ? seconds : 3600) * S);
}

/* Sixteen workers are busy nine tenths of the time at noon, a twentieth at midnight, and more than
 * half of it from half past eight on until half past three. */
static size_t make_days_and_nights(struct sim_job *jobs)
{
    double at = 0;
    size_t count = 0;
    while (count < JOBS_MAX) {
        double height = (1 - cos(2 * M_PI * at / 86400)) / 2;
        double part = 0.05 + 0.85 * height * height;
        at += exponential(20 / (16 * part));
        if (at * S >= DAY)
            break;
        jobs[count++] =
            (struct sim_job){.arrived = (int64_t)(at * S), .run_us = some_time(), .cpus = 1};
    }
    return count;
}

/* `workers` are busy for `low` of the time at midnight and for `high` of it at noon. */
static size_t make_sine(struct sim_job *jobs, int workers, double low, double high, int64_t shorter)
{
    double at = 0;
    size_t count = 0;
    while (count < JOBS_MAX) {
        double part = low + (high - low) * (1 - cos(2 * M_PI * at / 86400)) / 2;
        at += exponential(20 / (double)shorter / (workers * part));
        if (at * S >= DAY)
            break;
        jobs[count++] = (struct sim_job){
            .arrived = (int64_t)(at * S), .run_us = some_time() / shorter, .cpus = 1};
    }
    return count;
}

static size_t make_plain_day(struct sim_job *jobs)
{
    return make_sine(jobs, 16, 0.05, 0.9, 1);
}

static size_t make_plain_day_of_four(struct sim_job *jobs)
{
    return make_sine(jobs, 4, 0.05, 0.9, 1);
}

static size_t make_even_day(struct sim_job *jobs)
{
    return make_sine(jobs, 16, 0.4, 0.5, 1);
}

/* Of two seconds, a fifth of the hold: see scaler.h for what that costs. */
static size_t make_short_jobs(struct sim_job *jobs)
{
    return make_sine(jobs, 16, 0.05, 0.9, 10);
}

/* Twenty to two hundred at once, each quarter of an hour. */
static size_t make_bursts(struct sim_job *jobs)
{
    double at = 0;
    size_t count = 0;
    while ((at += exponential(900)) * S < DAY) {
        for (int left = 20 + rand() % 180; left > 0 && count < JOBS_MAX; left--)
            jobs[count++] = (struct sim_job){
                .arrived = (int64_t)(at * S), .run_us = some_time() / 4, .cpus = 1};
    }
    return count;
}

/* A job of a tenth of a second each ten seconds or so, and now and then some at once. */
static size_t make_trickle(struct sim_job *jobs)
{
    double at = 0;
    size_t count = 0;
    while ((at += exponential(10)) * S < DAY) {
        for (int left = rand() % 20 == 0 ? 12 : 1; left > 0 && count < JOBS_MAX; left--)
            jobs[count++] =
                (struct sim_job){.arrived = (int64_t)(at * S), .run_us = S / 10, .cpus = 1};
    }
    return count;
}

/* From the memory hog's start on no job starts, for ten minutes of each two hours; then its load.
 */
static void hog(int64_t now, bool *ret_open, double *ret_load)
{
    int64_t at = now % (7200 * S);
    *ret_open = at < 3600 * S || at >= 4200 * S;
    *ret_load = at >= 4200 * S && at < 4260 * S ? 2 * SCALER_LOAD_MAX : 1;
}

/* A disk that is full and empty again each half minute: the worst for one that follows at once. */
static void full_disk(int64_t now, bool *ret_open, double *ret_load)
{
    *ret_open = now / (30 * S) % 2 == 0;
    *ret_load = 1;
}

/* At most so much of the worker-seconds of the fixed pool, where the work is below half of them. */
#define PART_MAX 0.6
#define PART_MAX_SHORT 0.7

static void compare_with_fixed(const char *name, const struct sim *plan, int64_t span,
                               double part_max)
{
    static struct sim fixed, scaled;
    fixed = scaled = *plan;
    fixed.fixed = true;
    sim_run(&fixed, span);
    sim_run(&scaled, span);
    const double start = (double)SCALER_START_US / (double)S;
    const double mean[] = {sim_mean(&fixed), sim_mean(&scaled)};
    const double p99[] = {sim_p99(&fixed), sim_p99(&scaled)};
    const double part = scaled.worker_seconds / fixed.worker_seconds;
    if (getenv("VERBOSE") != NULL)
        printf(
            "%-22s %6zu jobs, mean wait %8.3f and %8.3f s, p99 %8.2f and %8.2f s, %4.1f %% of the"
            " worker-seconds, %" PRIu64 " turns\n",
            name, plan->count, mean[0], mean[1], p99[0], p99[1], 100 * part, scaled.turns);
    ck_assert_msg(mean[1] <= 1.1 * mean[0] + start, "%s: mean %f and %f", name, mean[0], mean[1]);
    ck_assert_msg(p99[1] <= 1.1 * p99[0] + start, "%s: p99 %f and %f", name, p99[0], p99[1]);
    ck_assert_msg(part <= part_max, "%s: %f of the worker-seconds", name, part);
    const double holds = (double)(scaled.now - plan->jobs[0].arrived) / (double)plan->hold_us;
    ck_assert_msg((double)scaled.turns <= 1 + 2 * holds, "%s: it turned %" PRIu64 " times", name,
                  scaled.turns);
    free(fixed.delays);
    free(scaled.delays);
}

static struct sim_job jobs[JOBS_MAX];

static const struct {
    const char *name;
    size_t (*make)(struct sim_job *jobs);
    sim_machine_fn machine;
    int64_t estimate_us;
    uint32_t min, max;
    double part_max;
} days[] = {
    {"days and nights", make_days_and_nights, NULL, 20 * S, 0, 16, PART_MAX},
    {"a plain day", make_plain_day, NULL, 20 * S, 0, 16, PART_MAX},
    {"a plain day of four", make_plain_day_of_four, NULL, 20 * S, 0, 4, PART_MAX},
    {"an even day", make_even_day, NULL, -1, 0, 16, PART_MAX},
    {"short jobs", make_short_jobs, NULL, 2 * S, 0, 16, PART_MAX_SHORT},
    {"bursts", make_bursts, NULL, -1, 0, 16, PART_MAX},
    {"bursts, at least two", make_bursts, NULL, 5 * S, 2, 16, PART_MAX},
    {"a trickle", make_trickle, NULL, S / 10, 0, 8, PART_MAX},
    {"with a memory hog", make_days_and_nights, hog, -1, 1, 32, PART_MAX},
    {"with a full disk", make_bursts, full_disk, -1, 0, 16, PART_MAX},
};

START_TEST(a_day)
{
    for (unsigned seed = 1; seed <= 3; seed++) {
        srand(seed);
        struct sim plan = {.jobs = jobs,
                           .count = days[_i].make(jobs),
                           .min = days[_i].min,
                           .max = days[_i].max,
                           .hold_us = HOLD,
                           .estimate_us = days[_i].estimate_us,
                           .machine = days[_i].machine};
        compare_with_fixed(days[_i].name, &plan, DAY, days[_i].part_max);
    }
}
END_TEST

/* Arrivals at the worst moments for any hold: as soon as something was let go, it is wanted. */
START_TEST(work_that_comes_when_the_last_worker_went)
{
    size_t count = 0;
    for (int64_t at = 0; at < DAY; at += HOLD + 5 * S) {
        for (int i = 0; i < 8; i++)
            jobs[count++] = (struct sim_job){.arrived = at, .run_us = S / 100, .cpus = 1};
    }
    struct sim plan = {.jobs = jobs, .count = count, .max = 8, .hold_us = HOLD, .estimate_us = -1};
    sim_run(&plan, DAY);
    ck_assert_uint_gt(plan.turns, 100);
    ck_assert_double_le((double)plan.turns, 1 + 2.0 * (double)DAY / (double)HOLD);
    free(plan.delays);
}
END_TEST

/* ---- three months of a real machine ---- */

/* The Standard Workload Format: number, submit, wait, run, processors, in seconds. */
static size_t read_trace(FILE *file, struct sim_job *ret)
{
    char line[512];
    size_t count = 0;
    while (count < JOBS_MAX && fgets(line, sizeof(line), file) != NULL) {
        int64_t numbers[5];
        char *at = line;
        for (size_t i = 0; i < 5; i++)
            numbers[i] = strtoll(at, &at, 10);
        if (line[0] != ';' && numbers[4] > 0 && numbers[4] <= SIM_WORKERS / 2 && numbers[3] >= 0)
            ret[count++] = (struct sim_job){
                .arrived = numbers[1] * S, .run_us = numbers[3] * S, .cpus = (uint32_t)numbers[4]};
    }
    return count;
}

START_TEST(a_recorded_trace)
{
    FILE *file = popen("zcat ../shared/traces/NASA-iPSC-1993-3.1-cln.swf.gz 2>/dev/null", "r");
    ck_assert_ptr_nonnull(file);
    size_t count = read_trace(file, jobs);
    (void)pclose(file);
    if (count == 0) {
        (void)fprintf(stderr, "skipped: no ../shared/traces here\n");
        return;
    }
    struct sim plan = {.jobs = jobs,
                       .count = count,
                       .max = 96, /* of its 128 processors, so that they wait */
                       .hold_us = HOLD,
                       .estimate_us = -1};
    compare_with_fixed("NASA iPSC/860", &plan, 0, PART_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scaler");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 300);
    tcase_add_test(all, up_at_once_for_each_job_that_could_start);
    tcase_add_test(all, never_out_of_its_bounds);
    tcase_add_test(all, down_after_the_hold_and_in_steps);
    tcase_add_test(all, short_jobs_share_a_worker);
    tcase_add_test(all, a_machine_that_takes_no_job_gets_no_worker);
    tcase_add_test(all, where_the_load_is_high_the_number_doubles_each_second);
    tcase_add_test(all, those_that_are_found_at_the_start_stay_a_while);
    tcase_add_loop_test(all, a_day, 0, (int)(sizeof(days) / sizeof(days[0])));
    tcase_add_test(all, work_that_comes_when_the_last_worker_went);
    tcase_add_test(all, a_recorded_trace);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
