/* When what failed is tried again: the delays by their formula, whose word goes before whose, and
 * every class and exit code under every kind of rule. */
#include "daemon/core/ending.h"
#include "daemon/core/job_request.h"
#include "daemon/core/retry_rule.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct retry_rule nothing;

static struct retry_rule said(uint32_t attempts, const char *backoff, const char *jitter,
                              const char *on)
{
    struct retry_rule rule = {.max_attempts = attempts};
    struct error err;
    ck_assert_int_eq(retry_backoff_parse(backoff, &rule.backoff, &err), 0);
    ck_assert_int_eq(retry_jitter_parse(jitter, &rule.jitter, &err), 0);
    ck_assert_int_eq(retry_on_parse(on, &rule, &err), 0);
    return rule;
}

static struct retry_rule resolved(uint32_t attempts, const char *on)
{
    struct retry_rule rule = said(attempts, "", "", on);
    retry_rule_resolve(&rule, &(struct retry_layers){.queue = NULL});
    return rule;
}

/* ---- the delay ---- */

START_TEST(delays_follow_the_formula)
{
    static const struct {
        const char *backoff;
        double base, factor, cap; /* seconds */
    } rows[] = {{"1s:2:1h", 1, 2, 3600}, {"10s", 10, 2, 3600},
                {"10s:1", 10, 1, 3600},  {"1ms:1.5:1m", 0.001, 1.5, 60},
                {"2h", 7200, 2, 7200},   {"3s:100:365d", 3, 100, 31536000.0},
                {"none", 0, 2, 3600}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct retry_rule rule = said(3, rows[i].backoff, "none", "failures");
        for (uint32_t n = 1; n <= RETRY_ATTEMPTS_MAX; n++) {
            double wanted = fmin(rows[i].base * pow(rows[i].factor, n - 1), rows[i].cap) * 1e6;
            double is = (double)retry_rule_delay_us(&rule, n, UINT64_MAX);
            /* Fractions of a microsecond are cut at each step. */
            ck_assert_msg(fabs(is - wanted) <= 1 + wanted * 0.005, "%s after %u: %f, not %f",
                          rows[i].backoff, n, is, wanted);
        }
    }
}
END_TEST

START_TEST(jitter_spreads_over_its_range)
{
    struct retry_rule full = said(3, "10s:2:1h", "full", "failures");
    struct retry_rule equal = said(3, "10s:2:1h", "equal", "failures");
    uint64_t state = 1;
    uint64_t low[2] = {UINT64_MAX, UINT64_MAX}, high[2] = {0, 0};
    for (unsigned i = 0; i < 10000; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t of[2] = {retry_rule_delay_us(&full, 2, state >> 11),
                          retry_rule_delay_us(&equal, 2, state >> 11)};
        for (unsigned j = 0; j < 2; j++) {
            low[j] = of[j] < low[j] ? of[j] : low[j];
            high[j] = of[j] > high[j] ? of[j] : high[j];
        }
    }
    ck_assert_uint_lt(low[0], 200000);
    ck_assert_uint_ge(low[1], 10000000);
    ck_assert_uint_lt(low[1], 10200000);
    for (unsigned j = 0; j < 2; j++) {
        ck_assert_uint_le(high[j], 20000000);
        ck_assert_uint_gt(high[j], 19800000);
    }
    ck_assert_uint_eq(retry_rule_delay_us(&full, 1, 0), 0);
    ck_assert_uint_eq(retry_rule_delay_us(&equal, 1, 0), 5000000);
}
END_TEST

/* ---- whose word ---- */

static void check_text(const struct retry_rule *rule, uint32_t attempts, const char *text)
{
    char is[RETRY_TEXT_MAX];
    retry_rule_format(rule, is);
    ck_assert_str_eq(is, text);
    ck_assert_uint_eq(rule->max_attempts, attempts);
    struct retry_rule back = {.max_attempts = attempts, .lost = rule->lost};
    ck_assert_int_eq(retry_rule_parse(is, &back), 0);
    ck_assert_mem_eq(&back.on, &rule->on, sizeof(back.on));
    ck_assert_uint_eq(back.backoff.base_ms, rule->backoff.base_ms);
    ck_assert_uint_eq(back.backoff.cap_ms, rule->backoff.cap_ms);
    ck_assert_uint_eq(back.backoff.factor_milli, rule->backoff.factor_milli);
    ck_assert_uint_eq(back.jitter, rule->jitter);
}

START_TEST(the_job_goes_before_the_queue_before_the_configuration)
{
    enum { JOB, QUEUE, CONFIG, LAYERS };
    /* What each says, and what comes of it. "" and 0: nothing. */
    static const struct {
        uint32_t attempts[LAYERS];
        const char *backoff[LAYERS], *jitter[LAYERS], *on[LAYERS];
        uint32_t wanted;
        const char *text;
        enum retry_lost lost;
    } rows[] = {
        {{0, 0, 0}, {"", "", ""}, {"", "", ""}, {"", "", ""}, 3, "", RETRY_LOST_RERUN},
        {{5, 0, 0},
         {"", "", ""},
         {"", "", ""},
         {"", "", ""},
         5,
         "1000ms:2:3600000ms none failures",
         RETRY_LOST_RERUN},
        {{0, 6, 4},
         {"", "", ""},
         {"", "", ""},
         {"", "", ""},
         6,
         "1000ms:2:3600000ms none failures",
         RETRY_LOST_RERUN},
        {{0, 0, 4}, {"", "", ""}, {"", "", ""}, {"", "", ""}, 4, "", RETRY_LOST_RERUN},
        {{1, 6, 4},
         {"", "2s", "3s"},
         {"", "", "full"},
         {"", "", ""},
         1,
         "2000ms:2:3600000ms full failures",
         RETRY_LOST_RERUN},
        {{0, 0, 4},
         {"1s:3:2s", "2s", "3s"},
         {"equal", "none", "full"},
         {"", "", "signal"},
         4,
         "1000ms:3:2000ms equal signal",
         RETRY_LOST_FINAL},
        {{9, 0, 4},
         {"", "", ""},
         {"", "", ""},
         {"", "", "signal"},
         9,
         "1000ms:2:3600000ms none signal",
         RETRY_LOST_FINAL},
        {{0, 7, 0},
         {"", "", ""},
         {"", "", ""},
         {"exit:75,lost,exit:9", "signal", "timeout"},
         7,
         "1000ms:2:3600000ms none lost,exit:9,exit:75",
         RETRY_LOST_RERUN},
        {{0, 7, 0},
         {"", "", "none"},
         {"", "", ""},
         {"", "default", "timeout"},
         7,
         "none none default",
         RETRY_LOST_RERUN},
        {{0, 0, 0},
         {"", "", ""},
         {"", "", ""},
         {"none", "", "failures"},
         3,
         "1000ms:2:3600000ms none none",
         RETRY_LOST_FINAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct retry_rule layers[LAYERS];
        for (int j = 0; j < LAYERS; j++)
            layers[j] =
                said(rows[i].attempts[j], rows[i].backoff[j], rows[i].jitter[j], rows[i].on[j]);
        struct retry_rule job = layers[JOB];
        retry_rule_resolve(
            &job, &(struct retry_layers){.queue = &layers[QUEUE], .config = &layers[CONFIG]});
        /* A type stands between: its word counts as that of a queue that says nothing. */
        retry_rule_resolve(&layers[JOB], &(struct retry_layers){.type = &layers[QUEUE],
                                                                .config = &layers[CONFIG]});
        ck_assert_mem_eq(&job, &layers[JOB], sizeof(job));
        check_text(&layers[JOB], rows[i].wanted, rows[i].text);
        ck_assert_int_eq(layers[JOB].lost, rows[i].lost);
    }
}
END_TEST

START_TEST(the_queue_goes_before_the_type)
{
    const struct retry_rule queue = said(0, "2s", "", "");
    const struct retry_rule type = said(4, "3s", "full", "");
    const struct retry_rule config = said(9, "4s", "equal", "signal");
    struct retry_rule rule = nothing;
    retry_rule_resolve(&rule, &(struct retry_layers){&queue, &type, &config});
    check_text(&rule, 4, "2000ms:2:3600000ms full signal");
}
END_TEST

START_TEST(whether_it_is_rerun_is_said_beside_the_ends)
{
    struct retry_rule queue = said(0, "", "", "signal");
    struct retry_rule rule = {.lost = RETRY_LOST_RERUN};
    retry_rule_resolve(&rule, &(struct retry_layers){.queue = &queue, .config = &nothing});
    check_text(&rule, 3, "1000ms:2:3600000ms none signal,lost");
    rule = (struct retry_rule){.lost = RETRY_LOST_FINAL};
    retry_rule_resolve(&rule, &(struct retry_layers){.queue = NULL});
    ck_assert_int_eq(rule.lost, RETRY_LOST_FINAL);
    const struct retry_rule back = {.lost = RETRY_LOST_RERUN};
    retry_rule_change(&rule, &back);
    ck_assert_int_eq(rule.lost, RETRY_LOST_RERUN);
}
END_TEST

START_TEST(a_change_leaves_what_it_does_not_say)
{
    struct retry_rule rule = resolved(0, "");
    const struct retry_rule often = {.max_attempts = 7};
    const struct retry_rule jitter = {.jitter = RETRY_JITTER_FULL};
    const struct retry_rule named = said(0, "5s:1:5s", "", "exit,timeout");
    retry_rule_change(&rule, &nothing);
    check_text(&rule, 3, "");
    retry_rule_change(&rule, &jitter);
    check_text(&rule, 3, "1000ms:2:3600000ms full default");
    retry_rule_change(&rule, &often);
    check_text(&rule, 7, "1000ms:2:3600000ms full failures");
    retry_rule_change(&rule, &named);
    check_text(&rule, 7, "5000ms:1:5000ms full exit,timeout");
    ck_assert_int_eq(rule.lost, RETRY_LOST_FINAL);
    const struct retry_rule less = {.max_attempts = 2};
    retry_rule_change(&rule, &less);
    check_text(&rule, 2, "5000ms:1:5000ms full exit,timeout");
}
END_TEST

/* ---- which ends ---- */

static bool is_among(int code, const char *codes)
{
    char word[16];
    (void)snprintf(word, sizeof(word), " %d ", code);
    return strstr(codes, word) != NULL;
}

START_TEST(every_exit_code)
{
    static const struct {
        uint32_t attempts;
        const char *on, *codes; /* that are tried again, or with '!' those that are not */
    } rows[] = {
        {0, "", " 69 74 75 "},
        {5, "", "! 64 65 66 77 78 126 127 "},
        {0, "failures", "! 64 65 66 77 78 126 127 "},
        {5, "default", " 69 74 75 "},
        {0, "exit", "!  "},
        {0, "exit:64,exit:255,exit:1", " 64 255 1 "},
        {5, "signal,timeout,oom,disk_full,lost,spawn", "  "},
        {5, "none", "  "},
    };
    static const enum outcome_class classes[] = {OUTCOME_EXIT, OUTCOME_PROCESSOR};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct retry_rule rule = resolved(rows[i].attempts, rows[i].on);
        for (int code = 1; code <= 255; code++) {
            bool wanted = is_among(code, rows[i].codes) != (rows[i].codes[0] == '!');
            for (unsigned j = 0; j < 2; j++) {
                const struct outcome outcome = {.class = classes[j], .exit_code = code};
                if (strcmp(rows[i].on, "exit") == 0 && classes[j] == OUTCOME_PROCESSOR)
                    wanted = false;
                ck_assert_msg(retry_rule_takes(&rule, &outcome, false) == wanted,
                              "%u attempts, on \"%s\", class %s, exit %d", rows[i].attempts,
                              rows[i].on, outcome_class_word(classes[j]), code);
            }
        }
    }
}
END_TEST

START_TEST(every_class)
{
    /* For each class: by default, by default when memory grows, with max_attempts. */
    static const struct {
        enum outcome_class class;
        bool usual, grown, failures;
    } rows[] = {
        {OUTCOME_SIGNAL, false, false, true}, {OUTCOME_TIMEOUT, false, false, true},
        {OUTCOME_OOM, false, true, true},     {OUTCOME_DISK_FULL, false, false, true},
        {OUTCOME_SPAWN, false, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct outcome outcome = {.class = rows[i].class, .exit_code = 75, .signal = 9};
        struct retry_rule usual = resolved(0, "");
        struct retry_rule failures = resolved(5, "");
        struct retry_rule named = resolved(0, outcome_class_word(rows[i].class));
        struct retry_rule other = resolved(0, "exit,exit:75,processor");
        ck_assert_int_eq(retry_rule_takes(&usual, &outcome, false), rows[i].usual);
        ck_assert_int_eq(retry_rule_takes(&usual, &outcome, true), rows[i].grown);
        ck_assert_int_eq(retry_rule_takes(&failures, &outcome, false), rows[i].failures);
        ck_assert(retry_rule_takes(&named, &outcome, false));
        ck_assert(!retry_rule_takes(&other, &outcome, true));
    }
}
END_TEST

/* ---- what follows ---- */

static enum ending ending(const struct retry_rule *rule, enum outcome_class class, uint32_t charged,
                          uint32_t losses)
{
    const struct outcome outcome = {.class = class, .exit_code = class == OUTCOME_EXIT ? 1 : -1};
    const struct ended_attempt attempt = {
        .outcome = &outcome, .rule = rule, .charged = charged, .losses = losses, .tree_dead = true};
    return ending_of(&attempt);
}

START_TEST(attempts_are_counted)
{
    struct retry_rule rule = resolved(3, "");
    ck_assert_int_eq(ending(&rule, OUTCOME_EXIT, 0, 0), ENDING_AGAIN_CHARGED);
    ck_assert_int_eq(ending(&rule, OUTCOME_EXIT, 1, 0), ENDING_AGAIN_CHARGED);
    ck_assert_int_eq(ending(&rule, OUTCOME_EXIT, 2, 0), ENDING_FAILED);
    ck_assert_int_eq(ending(&rule, OUTCOME_EXIT, 900, 0), ENDING_FAILED);
    ck_assert_int_eq(ending(&rule, OUTCOME_SUCCESS, 2, 0), ENDING_COMPLETED);
    ck_assert_int_eq(ending(&rule, OUTCOME_CANCELLED, 0, 0), ENDING_CANCELLED);
    rule = resolved(1, "");
    ck_assert_int_eq(ending(&rule, OUTCOME_EXIT, 0, 0), ENDING_FAILED);
}
END_TEST

START_TEST(what_the_host_did_is_free)
{
    struct retry_rule once = resolved(1, "");
    struct retry_rule final = resolved(3, "exit");
    ck_assert_int_eq(ending(&once, OUTCOME_LOST, 5, 1), ENDING_AGAIN_FREE);
    ck_assert_int_eq(ending(&once, OUTCOME_LOST, 0, POISON_LOSSES - 1), ENDING_AGAIN_FREE);
    ck_assert_int_eq(ending(&once, OUTCOME_LOST, 0, POISON_LOSSES), ENDING_POISON);
    ck_assert_int_eq(ending(&final, OUTCOME_LOST, 0, 1), ENDING_FAILED);
    const struct outcome planned = {.class = OUTCOME_LOST, .exit_code = -1, .planned = true};
    struct ended_attempt attempt = {
        .outcome = &planned, .rule = &once, .losses = 9, .tree_dead = true};
    ck_assert_int_eq(ending_of(&attempt), ENDING_AGAIN_FREE);
    attempt.tree_dead = false;
    ck_assert_int_eq(ending_of(&attempt), ENDING_FAILED);
    attempt.tree_dead = true;
    attempt.cancelling = true;
    ck_assert_int_eq(ending_of(&attempt), ENDING_CANCELLED);
}
END_TEST

/* It has not run: it is no poison, and there is nothing that must not be run twice. */
START_TEST(what_the_host_had_no_room_for_waits)
{
    const struct retry_rule rules[] = {resolved(1, ""), resolved(3, "exit")};
    const struct outcome refused = {.class = OUTCOME_LOST, .exit_code = -1, .refused = true};
    for (unsigned i = 0; i < 2; i++) {
        struct ended_attempt attempt = {
            .outcome = &refused, .rule = &rules[i], .charged = 9, .losses = 9, .tree_dead = true};
        ck_assert_int_eq(ending_of(&attempt), ENDING_AGAIN_LATER);
        attempt.cancelling = true;
        ck_assert_int_eq(ending_of(&attempt), ENDING_CANCELLED);
    }
    ck_assert(ending_again(ENDING_AGAIN_LATER));
}
END_TEST

START_TEST(its_pause_doubles_up_to_five_minutes)
{
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
    int64_t pause = 0;
    for (unsigned i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        pause = ending_pause_us(pause);
        ck_assert_int_eq(pause, seconds[i] * 1000000);
    }
}
END_TEST

START_TEST(memory_grows_by_half_to_its_cap)
{
    const uint64_t mib = 1U << 20;
    ck_assert_uint_eq(job_memory_grown(100 * mib, 0, 1000 * mib), 150 * mib);
    ck_assert_uint_eq(job_memory_grown(101 * mib, 0, 1000 * mib), 152 * mib);
    ck_assert_uint_eq(job_memory_grown(800 * mib, 0, 1000 * mib), 1000 * mib);
    ck_assert_uint_eq(job_memory_grown(1000 * mib, 0, 1000 * mib), 0);
    ck_assert_uint_eq(job_memory_grown(2000 * mib, 0, 1000 * mib), 0);
    ck_assert_uint_eq(job_memory_grown(0, 10 * mib, 1000 * mib), 15 * mib);
    ck_assert_uint_eq(job_memory_grown(0, 0, 1000 * mib), 0);
    ck_assert_uint_eq(job_memory_grown(UINT64_MAX / 2, 0, 1000 * mib), 0);
}
END_TEST

/* ---- texts ---- */

START_TEST(what_is_no_rule_is_refused)
{
    static const char *const backoffs[] = {"x",      "1s:",        ":2",   "1s:0",      "1s:0.5",
                                           "1s:101", "1s:2:500ms", "366d", "1s:2:3s:4", "1s:nan",
                                           "1s:2e1", "1s:2:0",     "-1",   "1s:2:366d", " 1s"};
    static const char *const ons[] = {"exit:0",
                                      "exit:256",
                                      "exit:",
                                      "exit:x",
                                      "success",
                                      "cancelled",
                                      "exit,",
                                      ",exit",
                                      "default,exit",
                                      "exit,default",
                                      "none,exit",
                                      "Exit",
                                      "failures,failures",
                                      "signal none",
                                      "exit:1:2"};
    struct retry_rule rule = {.max_attempts = 3};
    for (size_t i = 0; i < sizeof(backoffs) / sizeof(backoffs[0]); i++) {
        struct error err = {.code = ERROR_NONE};
        ck_assert_msg(retry_backoff_parse(backoffs[i], &rule.backoff, &err) < 0, "%s", backoffs[i]);
        ck_assert_str_eq(err.field, "backoff");
    }
    for (size_t i = 0; i < sizeof(ons) / sizeof(ons[0]); i++) {
        struct error err = {.code = ERROR_NONE};
        ck_assert_msg(retry_on_parse(ons[i], &rule, &err) < 0, "%s", ons[i]);
        ck_assert_str_eq(err.field, "on");
    }
    struct error err;
    ck_assert_int_lt(retry_jitter_parse("some", &rule.jitter, &err), 0);
    ck_assert_int_eq(rule.backoff.factor_milli, 0);
    ck_assert_int_eq(rule.on.scope, RETRY_SCOPE_UNSAID);
    static const char *const stored[] = {"1s",
                                         "1s none",
                                         "1s:2:1h none",
                                         "1s:2:1h  default",
                                         "x none default",
                                         "1s:2:1h some default",
                                         "1s:2:1h none some"};
    for (size_t i = 0; i < sizeof(stored) / sizeof(stored[0]); i++)
        ck_assert_msg(retry_rule_parse(stored[i], &rule) < 0, "%s", stored[i]);
}
END_TEST

START_TEST(many_codes_have_a_limit_and_fit)
{
    struct retry_rule rule = {.max_attempts = 3};
    char text[1024] = "signal,timeout,oom,disk_full,lost,spawn,processor";
    struct error err;
    for (unsigned code = 255; code > 255 - RETRY_CODES_MAX; code--)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), ",exit:%u", code);
    ck_assert_int_eq(retry_on_parse(text, &rule, &err), 0);
    rule.backoff = (struct retry_backoff){
        .base_ms = RETRY_SPAN_MS_MAX, .factor_milli = 100000, .cap_ms = RETRY_SPAN_MS_MAX};
    rule.jitter = RETRY_JITTER_EQUAL;
    rule.lost = RETRY_LOST_RERUN;
    char is[RETRY_TEXT_MAX];
    retry_rule_format(&rule, is);
    struct retry_rule back = {.max_attempts = 3};
    ck_assert_int_eq(retry_rule_parse(is, &back), 0);
    ck_assert_mem_eq(&back.on, &rule.on, sizeof(back.on));
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), ",exit:1");
    ck_assert_int_lt(retry_on_parse(text, &rule, &err), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("retry_rule");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, delays_follow_the_formula);
    tcase_add_test(tcase, jitter_spreads_over_its_range);
    tcase_add_test(tcase, the_job_goes_before_the_queue_before_the_configuration);
    tcase_add_test(tcase, the_queue_goes_before_the_type);
    tcase_add_test(tcase, whether_it_is_rerun_is_said_beside_the_ends);
    tcase_add_test(tcase, a_change_leaves_what_it_does_not_say);
    tcase_add_test(tcase, every_exit_code);
    tcase_add_test(tcase, every_class);
    tcase_add_test(tcase, attempts_are_counted);
    tcase_add_test(tcase, what_the_host_did_is_free);
    tcase_add_test(tcase, what_the_host_had_no_room_for_waits);
    tcase_add_test(tcase, its_pause_doubles_up_to_five_minutes);
    tcase_add_test(tcase, memory_grows_by_half_to_its_cap);
    tcase_add_test(tcase, what_is_no_rule_is_refused);
    tcase_add_test(tcase, many_codes_have_a_limit_and_fit);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
