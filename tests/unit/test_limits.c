/* What a job's limits become by the machine's settings, and that they reach its worker as they are.
 */
#include "common/worker_protocol.h"
#include "daemon/core/limit_policy.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct job_limits nothing;
static const struct limit_policy no_policy;

static struct job_limits settle(const struct limit_policy *policy, const struct job_limits *asked)
{
    return limit_policy_settle(policy, asked, 3, 1000);
}

START_TEST(the_settings_are_the_default)
{
    const struct limit_policy policy = {.pids = 50,
                                        .open_files = 60,
                                        .file_bytes = 70,
                                        .cpu_weight = 200,
                                        .io_weight = 30,
                                        .high_percent = 90,
                                        .swap_percent = 50,
                                        .nice = 4,
                                        .io_priority = JOB_IO_BEST_EFFORT + 5,
                                        .bounds_data = true};
    const struct job_limits given = settle(&policy, &nothing);
    ck_assert_uint_eq(given.pids, 50);
    ck_assert_uint_eq(given.open_files, 60);
    ck_assert_uint_eq(given.file_bytes, 70);
    ck_assert_uint_eq(given.cpu_weight, 600 * 423 / 1024);
    ck_assert_uint_eq(given.io_weight, 30 * 3 / 4);
    ck_assert_uint_eq(given.memory_high_bytes, 900);
    ck_assert(given.has_swap == 1 && given.swap_bytes == 500);
    ck_assert_uint_eq(given.nice, 4);
    ck_assert_uint_eq(given.io_priority, JOB_IO_BEST_EFFORT + 5);
    ck_assert_uint_eq(given.bounds_data, 1);
}
END_TEST

START_TEST(a_job_may_only_stand_back_further)
{
    const struct limit_policy policy = {
        .pids = 50, .nice = 4, .io_priority = JOB_IO_BEST_EFFORT + 5};
    static const struct {
        struct job_limits asked;
        const char *field; /* of the refusal; NULL: it is taken */
    } rows[] = {{{.pids = 50}, NULL},
                {{.pids = 51}, "pids"},
                {{.nice = 4}, NULL},
                {{.nice = 3}, "nice"},
                {{.io_priority = JOB_IO_IDLE}, NULL},
                {{.io_priority = JOB_IO_BEST_EFFORT + 5}, NULL},
                {{.io_priority = JOB_IO_BEST_EFFORT + 4}, "io_priority"},
                {{.pids = 1, .nice = 19, .io_priority = JOB_IO_IDLE}, NULL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error err = {.field = ""};
        const struct job_limits *asked = &rows[i].asked;
        ck_assert_int_eq(limit_policy_check(&policy, asked, &err), rows[i].field == NULL ? 0 : -1);
        ck_assert_str_eq(err.field, rows[i].field == NULL ? "" : rows[i].field);
        /* Of a job from before the settings were changed, too. */
        const struct job_limits given = settle(&policy, asked);
        ck_assert(given.pids >= 1 && given.pids <= 50);
        ck_assert_uint_ge(given.nice, 4);
        ck_assert_uint_ge(given.io_priority, policy.io_priority);
        ck_assert(asked->nice < 4 || given.nice == asked->nice);
        ck_assert(asked->pids == 0 || asked->pids > 50 || given.pids == asked->pids);
        ck_assert_int_eq(limit_policy_check(&no_policy, asked, &err), 0);
    }
}
END_TEST

/* Between groups neither niceness nor priorities on disks count, so weights say it. */
START_TEST(who_stands_back_has_less_weight)
{
    const struct limit_policy policy = {.cpu_weight = 100, .io_weight = 200};
    static const struct {
        struct job_limits asked;
        uint32_t cpu, io, cpu_alike, io_alike; /* the latter where no weights are set */
    } rows[] = {{{.nice = 0}, 300, 200, 0, 0},
                {{.nice = 5}, 98, 200, 32, 0},
                {{.nice = 19}, 4, 200, 1, 0},
                {{.io_priority = JOB_IO_BEST_EFFORT}, 300, 200, 0, 0}, /* not more than others */
                {{.io_priority = JOB_IO_BEST_EFFORT + 4}, 300, 200, 0, 0},
                {{.io_priority = JOB_IO_BEST_EFFORT + 6}, 300, 100, 0, 50},
                {{.io_priority = JOB_IO_BEST_EFFORT + 7}, 300, 50, 0, 25},
                {{.io_priority = JOB_IO_IDLE}, 300, 1, 0, 1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct job_limits given = settle(&policy, &rows[i].asked);
        const struct job_limits alike = settle(&no_policy, &rows[i].asked);
        ck_assert_uint_eq(given.cpu_weight, rows[i].cpu);
        ck_assert_uint_eq(given.io_weight, rows[i].io);
        ck_assert_uint_eq(alike.cpu_weight, rows[i].cpu_alike);
        ck_assert_uint_eq(alike.io_weight, rows[i].io_alike);
    }
}
END_TEST

/* 0 would be that there is none, and so 100. */
START_TEST(the_least_weight_is_one)
{
    const struct limit_policy policy = {.cpu_weight = 1, .io_weight = 1};
    const struct job_limits asked = {.nice = 19, .io_priority = JOB_IO_BEST_EFFORT + 7};
    const struct job_limits given = settle(&policy, &asked);
    ck_assert_uint_eq(given.cpu_weight, 1);
    ck_assert_uint_eq(given.io_weight, 1);
}
END_TEST

START_TEST(figures_stay_within_their_bounds)
{
    const struct limit_policy policy = {
        .cpu_weight = 10000, .high_percent = 99, .swap_percent = 1000};
    const struct job_limits given =
        limit_policy_settle(&policy, &nothing, UINT32_MAX, UINT64_C(1) << 50U);
    ck_assert_uint_eq(given.cpu_weight, JOB_WEIGHT_MAX);
    ck_assert_uint_eq(given.swap_bytes, (UINT64_C(1) << 50U) * 10);
    ck_assert_uint_lt(given.memory_high_bytes, UINT64_C(1) << 50U);
    ck_assert_uint_gt(given.memory_high_bytes, (UINT64_C(1) << 50U) / 100 * 98);
    ck_assert(!job_limits_any(&nothing));
    const struct job_limits alone = limit_policy_settle(&no_policy, &nothing, 1, 0);
    ck_assert(!job_limits_any(&alone)); /* a job without memory is told nothing */
}
END_TEST

static const struct job_limits all = {.pids = 1,
                                      .memory_high_bytes = 2,
                                      .swap_bytes = 3,
                                      .open_files = 4,
                                      .file_bytes = 5,
                                      .cpu_weight = 6,
                                      .io_weight = 7,
                                      .nice = 8,
                                      .io_priority = 9,
                                      .has_swap = 1,
                                      .bounds_data = 1};

static void ck_all(const struct job_limits *found)
{
    ck_assert(found->pids == 1 && found->memory_high_bytes == 2 && found->swap_bytes == 3);
    ck_assert(found->open_files == 4 && found->file_bytes == 5);
    ck_assert(found->cpu_weight == 6 && found->io_weight == 7);
    ck_assert(found->nice == 8 && found->io_priority == 9);
    ck_assert(found->has_swap == 1 && found->bounds_data == 1);
}

static struct record parsed(const struct record_writer *writer)
{
    struct record record;
    size_t used;
    ck_assert_int_eq(record_parse(writer->data, writer->used, &record, &used), RECORD_OK);
    return record;
}

START_TEST(records_keep_them)
{
    struct record_writer writer = {0};
    const struct attempt_id id = {.job = 7, .attempt = 2};
    struct attempt_id read_id;
    struct job_limits read;
    put_limits(&writer, &id, &all);
    struct record record = parsed(&writer);
    ck_assert_uint_eq(record.type, MESSAGE_LIMITS);
    ck_assert_int_eq(get_limits(&record, &read_id, &read), 0);
    ck_assert(attempt_equal(&id, &read_id));
    ck_all(&read);
    record = parsed(&writer);
    record.bytes--;
    ck_assert_int_eq(get_limits(&record, &read_id, &read), -1);
    record_writer_done(&writer);
}
END_TEST

/* A job that asks for none is stored as it was before there were any. */
START_TEST(a_run_without_any_is_as_before)
{
    char word[] = "x";
    char *argv[] = {word, NULL};
    struct job_run run = {.program = word, .cwd = word, .stdin_path = word, .input = word};
    run.argv = argv;
    run.argc = 1;
    struct record_writer without = {0}, with = {0};
    put_run(&without, &run);
    run.limits = all;
    put_run(&with, &run);
    ck_assert_uint_gt(with.used, without.used);
    struct record record = parsed(&with);
    struct job_run read;
    ck_assert_int_eq(get_run(&record, &read), 0);
    ck_all(&read.limits);
    job_run_done(&read);
    record = parsed(&without);
    ck_assert_int_eq(get_run(&record, &read), 0);
    ck_assert(!job_limits_any(&read.limits));
    job_run_done(&read);
    record_writer_done(&with);
    record_writer_done(&without);
}
END_TEST

START_TEST(words_of_disks)
{
    static const char *const good[] = {"none", "best-effort:0", "best-effort:7", "idle"};
    static const char *const bad[] = {"",      "best-effort",    "best-effort:", "best-effort:8",
                                      "idle ", "best-effort:77", "realtime:0",   "Idle"};
    uint8_t priority = 0, before = 0;
    struct error err;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char text[JOB_IO_PRIORITY_BYTES];
        ck_assert_int_eq(job_io_priority_parse(good[i], &priority, &err), 0);
        ck_assert(i == 0 || priority > before); /* gentler and gentler */
        before = priority;
        job_io_priority_format(priority, text);
        ck_assert_str_eq(text, good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(job_io_priority_parse(bad[i], &priority, &err), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limits");
    TCase *cases = tcase_create("all");
    tcase_add_test(cases, the_settings_are_the_default);
    tcase_add_test(cases, a_job_may_only_stand_back_further);
    tcase_add_test(cases, who_stands_back_has_less_weight);
    tcase_add_test(cases, the_least_weight_is_one);
    tcase_add_test(cases, figures_stay_within_their_bounds);
    tcase_add_test(cases, records_keep_them);
    tcase_add_test(cases, a_run_without_any_is_as_before);
    tcase_add_test(cases, words_of_disks);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
