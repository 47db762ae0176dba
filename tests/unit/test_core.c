/* The pure parts: job states, the jobset and its order, records, parsers, frames. */
#include "common/alloc.h"
#include "common/base64.h"
#include "common/crc32c.h"
#include "common/frame.h"
#include "common/parse.h"
#include "common/record.h"
#include "common/worker_protocol.h"
#include "daemon/api/users.h"
#include "daemon/config.h"
#include "daemon/core/jobset.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(terminal_states_never_change)
{
    for (int state = JOB_STATE_COMPLETED; state < JOB_STATE_COUNT; state++) {
        for (int event = 0; event < JOB_EVENT_COUNT; event++)
            ck_assert_int_eq(job_state_next((enum job_state)state, (enum job_event)event), -1);
    }
    ck_assert_int_eq(job_state_next(JOB_STATE_PENDING, JOB_EVENT_SUCCEED), -1);
    ck_assert_int_eq(job_state_next(JOB_STATE_STARTING, JOB_EVENT_SUCCEED), JOB_STATE_COMPLETED);
}
END_TEST

/* 20,000 jobs with random levels, half of them cancelled at random, come out in order. */
START_TEST(priority_order_over_random_changes)
{
    enum { COUNT = 20000 };
    const struct scheduler_options options = {.total = {.amount = {[RESOURCE_CPUS] = 1}},
                                              .queue = {.policy = QUEUE_PRIORITY}};
    const struct resources wanted = {.amount = {[RESOURCE_CPUS] = 1}};
    struct scheduler *scheduler = scheduler_new(&options);
    struct jobset *set = jobset_new(scheduler);
    unsigned seed = 1;
    for (uint64_t id = 1; id <= COUNT; id++) {
        const struct job job = {.id = id,
                                .uid = (uint32_t)(id % 3),
                                .level =
                                    (unsigned)rand_r(&seed) % JOB_PRIORITY_COUNT & JOB_LEVEL_MASK};
        (void)jobset_add(set, &job, &wanted, JOBSET_PLAIN, JOB_STATE_PENDING, 0);
    }
    for (int i = 0; i < COUNT / 2; i++) {
        struct job *job = jobset_find(set, (uint64_t)(rand_r(&seed) % COUNT) + 1);
        if (job == NULL)
            continue;
        ck_assert_int_eq(jobset_move(set, job, JOB_EVENT_CANCEL, 0), 0);
        jobset_remove(set, job);
    }
    size_t left = jobset_count(set, JOB_STATE_PENDING);
    ck_assert_uint_eq(left, jobset_waiting_of(set, 0) + jobset_waiting_of(set, 1) +
                                jobset_waiting_of(set, 2));
    int level = 0;
    uint64_t last = 0;
    size_t seen = 0;
    for (struct job *job; (job = scheduler_first(scheduler)) != NULL; seen++) {
        int here = job->level;
        ck_assert_int_ge(here, level);
        if (here == level)
            ck_assert_uint_gt(job->id, last);
        level = here;
        last = job->id;
        ck_assert_int_eq(jobset_move(set, job, JOB_EVENT_ASSIGN, 0), 0);
        ck_assert_ptr_eq(jobset_find(set, last), job);
        ck_assert_int_eq(jobset_move(set, job, JOB_EVENT_SUCCEED, 0), 0);
        jobset_remove(set, job);
        ck_assert_ptr_null(jobset_find(set, last));
    }
    ck_assert_uint_eq(seen, left);
    jobset_free(set);
    scheduler_free(scheduler);
}
END_TEST

START_TEST(records_survive_no_flip_and_no_cut)
{
    struct record_writer writer = {0};
    struct record record;
    size_t used;
    const struct job_exit end = {
        .id = {.job = 7, .attempt = 2}, .has_code = 1, .exit_code = 3, .text = "x"};
    put_exit(&writer, LOG_EXIT, &end);
    ck_assert_int_eq(record_parse(writer.data, writer.used, &record, &used), RECORD_OK);
    struct job_exit back;
    ck_assert_int_eq(get_exit(&record, &back), 0);
    ck_assert_uint_eq(back.id.job, 7);
    ck_assert_uint_eq(back.exit_code, 3);
    for (size_t cut = 0; cut < writer.used; cut++)
        ck_assert_int_eq(record_parse(writer.data, cut, &record, &used), RECORD_MORE);
    for (size_t at = 0; at < writer.used; at++) {
        writer.data[at] ^= 0x10;
        ck_assert_int_ne(record_parse(writer.data, writer.used, &record, &used), RECORD_OK);
        writer.data[at] ^= 0x10;
    }
    record_writer_done(&writer);
}
END_TEST

START_TEST(crc_is_castagnoli)
{
    /* RFC 3720, B.4: 32 bytes of zeros, and of ones. */
    uint8_t bytes[32] = {0};
    ck_assert_uint_eq(crc32c(0, bytes, 32), 0x8a9136aaU);
    memset(bytes, 0xff, 32);
    ck_assert_uint_eq(crc32c(0, bytes, 32), 0x62a8ab43U);
    ck_assert_uint_eq(crc32c_table(0, bytes, 32), 0x62a8ab43U);
    uint8_t text[257];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 7);
    for (size_t length = 0; length < 64; length++) {
        uint32_t first = crc32c(0, text, length);
        ck_assert_uint_eq(first, crc32c_table(0, text, length));
        ck_assert_uint_eq(crc32c(first, text + length, sizeof(text) - length),
                          crc32c_table(0, text, sizeof(text)));
    }
}
END_TEST

START_TEST(spans_and_sizes)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"90", 90000},     {"90s", 90000}, {"1h30m", 5400000},
                {"2d", 172800000}, {"500ms", 500}, {"1.5h", 5400000},
                {"0", 0}};
    static const char *const bad[] = {
        "", "x", "1x", "-1", "1h30", "1 h", "1e3", "h", "99999999999999999999d"};
    uint64_t number;
    struct error err;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(parse_span_ms(good[i].text, &number, &err) == 0, "%s", good[i].text);
        ck_assert_uint_eq(number, good[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(parse_span_ms(bad[i], &number, &err) < 0, "%s", bad[i]);
    ck_assert_int_eq(parse_size("1.5G", &number, &err), 0);
    ck_assert_uint_eq(number, UINT64_C(1610612736));
    ck_assert_int_eq(parse_size("64KiB", &number, &err), 0);
    ck_assert_uint_eq(number, 65536);
    ck_assert_int_lt(parse_size("1Q", &number, &err), 0);
    ck_assert_int_lt(parse_size("-1", &number, &err), 0);
}
END_TEST

START_TEST(times)
{
    const int64_t now = INT64_C(1767225600) * 1000000; /* 2026-01-01 00:00 UTC */
    int64_t at;
    struct error err;
    (void)setenv("TZ", "UTC", 1);
    ck_assert_int_eq(parse_time("now+2h", now, 1, &at, &err), 0);
    ck_assert_int_eq(at - now, INT64_C(7200) * 1000000);
    ck_assert_int_eq(parse_time("2026-01-01T02:00:00+0200", now, 1, &at, &err), 0);
    int64_t same = at;
    ck_assert_int_eq(parse_time("2026-01-01T02:00:00+02:00", now, 1, &at, &err), 0);
    ck_assert_int_eq(at, same);
    ck_assert_int_eq(at, now);
    ck_assert_int_eq(parse_time("tomorrow 09:00", now, 1, &at, &err), 0);
    ck_assert_int_eq(at - now, INT64_C(33) * 3600 * 1000000);
    static const char *const bad[] = {"",     "25:00", "2026-02-30", "2026-01-01 10:00x",
                                      "soon", "now+",  "12:60"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(parse_time(bad[i], now, 1, &at, &err) < 0, "%s", bad[i]);
}
END_TEST

START_TEST(base64_all_bytes)
{
    char bytes[256];
    struct error err;
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    for (size_t length = 0; length <= 256; length++) {
        char *text = base64_encode(bytes, length);
        char *back;
        size_t got;
        ck_assert_int_eq(base64_decode(text, strlen(text), &back, &got, &err), 0);
        ck_assert_uint_eq(got, length);
        ck_assert_mem_eq(back, bytes, length);
        free(text);
        free(back);
    }
    static const char *const bad[] = {
        "A", "AA", "AAA", "A===", "AB==", "AAA!", "=AAA", "AAAA====", "AA=A"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *back;
        size_t got;
        ck_assert_msg(base64_decode(bad[i], strlen(bad[i]), &back, &got, &err) < 0, "%s", bad[i]);
    }
}
END_TEST

START_TEST(frames_byte_by_byte)
{
    static const char text[] = "{\"a\":1}\n{\"b\":2}\n";
    struct frame_scanner scanner = {0};
    size_t length;
    for (size_t i = 0; i < 7; i++)
        ck_assert_int_eq(frame_find(&scanner, text, i, &length, NULL), FRAME_MORE);
    ck_assert_int_eq(frame_find(&scanner, text, sizeof(text) - 1, &length, NULL), FRAME_READY);
    ck_assert_uint_eq(length, 7);
    ck_assert_int_eq(frame_check("[\"[[[[[[[[[[[[[[[[[[[[\"]", 24, NULL), 0);
    ck_assert_int_lt(frame_check("[[[[[[[[[[[[[[[[[[[[", 20, NULL), 0);
}
END_TEST

START_TEST(config_defaults_fit_their_ranges)
{
    struct config config;
    config_defaults(&config); /* aborts when one does not */
    ck_assert_str_eq(config.daemon_log_level, "info");
    ck_assert_uint_eq(config.workers_stop_grace_ms, 10000);
    config_done(&config);
}
END_TEST

START_TEST(users_are_kept_apart)
{
    struct users *users = users_new();
    char text[32];
    uint32_t uid = 1;
    for (int round = 0; round < 2; round++) { /* asked, then kept */
        ck_assert_str_eq(users_name(users, 0), "root");
        ck_assert_int_eq(users_find(users, "root", &uid), 0);
        ck_assert_uint_eq(uid, 0);
        for (uint32_t other = 3000000000; other < 3000001000; other++) { /* nobody's */
            (void)snprintf(text, sizeof(text), "uid %u", other);
            ck_assert_str_eq(users_name(users, other), text);
            ck_assert_int_lt(users_find(users, text, &uid), 0);
            other += 60;
        }
    }
    users_free(users);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, terminal_states_never_change);
    tcase_add_test(tests, priority_order_over_random_changes);
    tcase_add_test(tests, records_survive_no_flip_and_no_cut);
    tcase_add_test(tests, crc_is_castagnoli);
    tcase_add_test(tests, spans_and_sizes);
    tcase_add_test(tests, times);
    tcase_add_test(tests, base64_all_bytes);
    tcase_add_test(tests, frames_byte_by_byte);
    tcase_add_test(tests, config_defaults_fit_their_ranges);
    tcase_add_test(tests, users_are_kept_apart);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
