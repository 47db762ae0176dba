/* The circuit breaker: its table as a whole, sequences worked out by hand, and a random walk beside
 * a naive model. Times are whole seconds here. */
#include "daemon/core/breaker.h"
#include "daemon/core/breakers.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S(n) ((n)*INT64_C(1000000))

static const struct breaker_rule rule = {
    .window = 10, .minimum = 5, .rate = 50, .probes = 3, .open_us = S(60), .open_max_us = S(3600)};

/* ---- the table ---- */

START_TEST(every_state_and_event)
{
    static const int C = BREAKER_CLOSED, O = BREAKER_OPEN, H = BREAKER_HALF_OPEN,
                     F = BREAKER_FORCED_OPEN, D = BREAKER_DISABLED;
    /* trip, due, pass, fail, reset, force, disable */
    const int expected[BREAKER_STATE_COUNT][BREAKER_EVENT_COUNT] = {
        [BREAKER_CLOSED] = {O, -1, -1, -1, C, F, D},
        [BREAKER_OPEN] = {-1, H, -1, -1, C, F, D},
        [BREAKER_HALF_OPEN] = {-1, -1, C, O, C, F, D},
        [BREAKER_FORCED_OPEN] = {-1, -1, -1, -1, C, F, D},
        [BREAKER_DISABLED] = {-1, -1, -1, -1, C, F, D},
    };
    for (unsigned state = 0; state < BREAKER_STATE_COUNT; state++) {
        for (unsigned event = 0; event < BREAKER_EVENT_COUNT; event++)
            ck_assert_int_eq(breaker_next((enum breaker_state)state, (enum breaker_event)event),
                             expected[state][event]);
    }
}
END_TEST

/* ---- sequences ---- */

/* Lets things happen one after another: x an end that failed, s one that went well, p a probe that
 * starts, P one that went well, X one that failed, g one that is given back, digits: so many
 * minutes pass. Each is followed by the state: c, o, h. */
static void play(struct breaker *breaker, const struct breaker_rule *by, int64_t *now,
                 const char *script)
{
    static const char states[] = "cohfd";
    for (const char *at = script; *at != '\0'; at += 2) {
        if (*at == 'x' || *at == 's')
            (void)breaker_ended(breaker, by, *at == 'x', *now);
        else if (*at == 'p')
            breaker_take_probe(breaker);
        else if (*at == 'P' || *at == 'X')
            (void)breaker_probe_ended(breaker, by, *at == 'X', *now);
        else if (*at == 'g')
            breaker_give_back(breaker);
        else
            *now += S(60) * (*at - '0');
        (void)breaker_advance(breaker, by, *now);
        ck_assert_msg(states[breaker->state] == at[1], "%s: at %zu it is %c", script,
                      (size_t)(at - script), states[breaker->state]);
    }
}

static void play_new(const char *script)
{
    struct breaker breaker = {.state = BREAKER_CLOSED};
    int64_t now = S(1000);
    play(&breaker, &rule, &now, script);
}

START_TEST(it_opens_at_the_rate_and_not_before_the_minimum)
{
    play_new("xcxcxcxcxo");
    play_new("scscxcxcxo");                       /* 3 of 5 */
    play_new("scscscxcxcxo");                     /* 3 of 6; 2 of 5 was not enough */
    play_new("xcxcscscscsc");                     /* 2 of 5, 2 of 6 */
    play_new("xcxcxcxcso");                       /* whatever the fifth is */
    play_new("scscscscscscscscscscxcxcxcxcxo");   /* the window slides: 5 of 10 */
    play_new("xcscscscxcscscscxcscscscxcscscsc"); /* one in four for ever */
}
END_TEST

START_TEST(it_is_tried_with_a_few_and_closes_or_opens_for_longer)
{
    struct breaker breaker = {.state = BREAKER_CLOSED};
    int64_t now = S(1000);
    play(&breaker, &rule, &now, "xcxcxcxcxo");
    ck_assert_int_eq(breaker.until, now + S(60));
    ck_assert(!breaker_allows(&breaker, &rule));
    play(&breaker, &rule, &now, "xoso0o1h");
    ck_assert_uint_eq(breaker_room(&breaker, &rule), 3);
    play(&breaker, &rule, &now, "phphph");
    ck_assert_uint_eq(breaker_room(&breaker, &rule), 0);
    ck_assert(!breaker_allows(&breaker, &rule));
    play(&breaker, &rule, &now, "xhshghphXhXhPo"); /* what is no probe changes nothing */
    ck_assert_int_eq(breaker.until, now + S(120));
    play(&breaker, &rule, &now, "1o1hphphphXhPhPc"); /* 1 of 3 is below the rate */
    ck_assert(breaker_blank(&breaker));
    play(&breaker, &rule, &now, "xcxcxcxcxo");
    ck_assert_int_eq(breaker.until, now + S(60)); /* the doubling begins anew */
}
END_TEST

START_TEST(the_time_doubles_up_to_its_limit)
{
    const int64_t minutes[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    struct breaker breaker = {.state = BREAKER_CLOSED};
    int64_t now = S(1000);
    play(&breaker, &rule, &now, "xcxcxcxcxo");
    for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
        ck_assert_int_eq(breaker.until, now + S(60) * minutes[i]);
        now = breaker.until;
        ck_assert(!breaker_advance(&breaker, &rule, now - 1));
        ck_assert(breaker_advance(&breaker, &rule, now));
        play(&breaker, &rule, &now, "phphphXhXhXo");
    }
    ck_assert_int_eq(breaker_open_span(&rule, UINT32_MAX), S(3600));
    const struct breaker_rule huge = {.open_us = INT64_MAX / 3, .open_max_us = INT64_MAX / 2};
    ck_assert_int_eq(breaker_open_span(&huge, 5), INT64_MAX / 2);
}
END_TEST

START_TEST(orders_are_followed_in_every_state)
{
    for (unsigned state = 0; state < BREAKER_STATE_COUNT; state++) {
        for (unsigned order = BREAKER_RESET; order <= BREAKER_DISABLE; order++) {
            struct breaker breaker = {.state = (enum breaker_state)state,
                                      .window = 7,
                                      .ends = 5,
                                      .openings = 3,
                                      .probing = 1,
                                      .until = S(5)};
            (void)breaker_order(&breaker, (enum breaker_event)order, S(9));
            ck_assert_int_eq(breaker.state,
                             breaker_next((enum breaker_state)state, (enum breaker_event)order));
            ck_assert_uint_eq(breaker.probing, 0);
            ck_assert_int_eq(breaker.until, 0);
            ck_assert(order != BREAKER_RESET || breaker_blank(&breaker));
            ck_assert(breaker_allows(&breaker, &rule) == (order != BREAKER_FORCE));
        }
    }
    struct breaker breaker = {.state = BREAKER_FORCED_OPEN};
    int64_t now = S(1000);
    play(&breaker, &rule, &now, "9fxf9f");
    (void)breaker_order(&breaker, BREAKER_DISABLE, now);
    play(&breaker, &rule, &now, "xdxdxdxdxdxdxd9d");
    ck_assert_uint_eq(breaker_failures(&breaker), 0);
}
END_TEST

START_TEST(a_clock_that_is_put_back_opens_it_for_no_longer)
{
    struct breaker breaker = {.state = BREAKER_CLOSED};
    int64_t now = S(100000);
    play(&breaker, &rule, &now, "xcxcxcxcxo");
    ck_assert(!breaker_advance(&breaker, &rule, S(5)));
    ck_assert_int_eq(breaker.until, S(65));
    ck_assert(breaker_advance(&breaker, &rule, S(65)));
}
END_TEST

START_TEST(a_rule_that_became_smaller)
{
    struct breaker_rule small = rule;
    struct breaker breaker = {.state = BREAKER_CLOSED};
    int64_t now = S(1000);
    play(&breaker, &rule, &now, "xcxcscscscscscsc");
    small.window = 4;
    small.minimum = 2;
    play(&breaker, &small, &now, "xcxo"); /* 2 of the last 4 */
    play(&breaker, &rule, &now, "1hphphPhPh");
    small.probes = 2;
    ck_assert(breaker_advance(&breaker, &small, now)); /* as many as are asked for have ended */
    ck_assert_int_eq(breaker.state, BREAKER_CLOSED);
}
END_TEST

START_TEST(calm_below_half_of_the_rate)
{
    struct breaker breaker = {.state = BREAKER_CLOSED};
    int64_t now = S(1000);
    ck_assert(breaker_calm(&breaker, &rule));
    play(&breaker, &rule, &now, "xcscscsc");
    ck_assert(!breaker_calm(&breaker, &rule)); /* 1 of 4 */
    play(&breaker, &rule, &now, "sc");
    ck_assert(breaker_calm(&breaker, &rule));
    play(&breaker, &rule, &now, "xc");
    ck_assert(!breaker_calm(&breaker, &rule));
    play(&breaker, &rule, &now, "scscscscscscscsc");
    ck_assert(breaker_calm(&breaker, &rule)); /* 2 of 10 */
    play(&breaker, &rule, &now, "scscscscscscscscscscxcxcxcxcxo");
    ck_assert(!breaker_calm(&breaker, &rule));
    play(&breaker, &rule, &now, "1h");
    ck_assert(!breaker_calm(&breaker, &rule));
}
END_TEST

/* ---- beside a model ---- */

/* The same said as naively as possible: all ends since it was last closed, in a list. */
struct model {
    int state; /* enum breaker_state */
    bool ends[64];
    unsigned count;
    unsigned openings, given, good, bad;
    int64_t until;
};

static void model_open(struct model *model, int64_t now)
{
    int64_t span = rule.open_us;
    model->state = BREAKER_OPEN;
    for (unsigned i = 0; i < model->openings && span < rule.open_max_us; i++)
        span *= 2;
    model->openings++;
    model->until = now + (span < rule.open_max_us ? span : rule.open_max_us);
}

static void model_close(struct model *model)
{
    *model = (struct model){.state = BREAKER_CLOSED};
}

static void model_end(struct model *model, bool failed, int64_t now)
{
    unsigned bad = 0;
    if (model->state != BREAKER_CLOSED)
        return;
    if (model->count == rule.window)
        memmove(model->ends, model->ends + 1, --model->count * sizeof(bool));
    model->ends[model->count++] = failed;
    for (unsigned i = 0; i < model->count; i++)
        bad += model->ends[i];
    if (model->count >= rule.minimum && bad * 100 >= rule.rate * model->count)
        model_open(model, now);
}

static void model_probe(struct model *model, bool failed, int64_t now)
{
    model->good += !failed;
    model->bad += failed;
    if (model->good + model->bad < rule.probes)
        return;
    if (model->bad * 100 >= rule.rate * rule.probes)
        model_open(model, now);
    else
        model_close(model);
}

START_TEST(a_random_walk)
{
    struct breaker breaker = {.state = BREAKER_CLOSED};
    struct model model = {.state = BREAKER_CLOSED};
    unsigned running = 0, seen[BREAKER_STATE_COUNT] = {0};
    int64_t now = S(1000);
    unsigned bias = 50;
    srandom(5);
    for (int step = 0; step < 100000; step++) {
        bool failed = (unsigned)random() % 100 < bias;
        int what = (int)(random() % 100);
        if (step % 1000 == 0)
            bias = (unsigned)random() % 101;
        if (what < 40) {
            (void)breaker_ended(&breaker, &rule, failed, now);
            model_end(&model, failed, now);
        } else if (what < 60 && breaker_room(&breaker, &rule) > 0) {
            breaker_take_probe(&breaker);
            running++;
            model.given++;
        } else if (what < 80 && running > 0) {
            running--;
            (void)breaker_probe_ended(&breaker, &rule, failed, now);
            model_probe(&model, failed, now);
        } else if (what < 83 && running > 0) {
            running--;
            model.given--;
            breaker_give_back(&breaker);
        } else if (what < 98) {
            now += S(1) * (random() % 100);
        } else {
            enum breaker_event order = (enum breaker_event)(BREAKER_RESET + (unsigned)random() % 3);
            bool forget = order != BREAKER_FORCE;
            (void)breaker_order(&breaker, order, now);
            if (forget)
                model_close(&model);
            model.state = breaker_next((enum breaker_state)model.state, order);
        }
        (void)breaker_advance(&breaker, &rule, now);
        if (model.state == BREAKER_OPEN && now >= model.until) {
            model.state = BREAKER_HALF_OPEN;
            model.given = model.good = model.bad = 0;
        }
        if (breaker.state != BREAKER_HALF_OPEN)
            running = 0;
        seen[breaker.state]++;
        ck_assert_int_eq(breaker.state, model.state);
        ck_assert_uint_le(breaker.good + breaker.bad + breaker.probing, rule.probes);
        if (breaker.state == BREAKER_HALF_OPEN) {
            ck_assert_uint_eq(breaker.probing, running);
            ck_assert_uint_eq(breaker_room(&breaker, &rule), rule.probes - model.given);
        }
        if (breaker.state == BREAKER_OPEN)
            ck_assert_int_eq(breaker.until, model.until);
        ck_assert(breaker_allows(&breaker, &rule) ==
                  (model.state == BREAKER_CLOSED || model.state == BREAKER_DISABLED ||
                   (model.state == BREAKER_HALF_OPEN && model.given < rule.probes)));
    }
    for (unsigned state = 0; state < BREAKER_STATE_COUNT; state++)
        ck_assert_uint_gt(seen[state], 1000);
}
END_TEST

/* ---- all of them ---- */

static struct breaker_entry *add(struct breakers *set, uint32_t uid, uint32_t class)
{
    const struct breaker_entry as = {
        .kind = ESTIMATE_OF_NAME, .uid = uid, .class = class, .name = (char *)(uintptr_t) "x"};
    return breakers_add(set, &as);
}

START_TEST(who_has_the_most_loses_the_one_used_longest_ago)
{
    struct breakers *set = breakers_new(&rule, 5);
    struct breaker_entry *one[6] = {add(set, 1, 10), add(set, 1, 11), add(set, 1, 300),
                                    add(set, 2, 12), add(set, 2, 13)};
    ck_assert_ptr_null(add(set, 3, 14));
    ck_assert_ptr_eq(breakers_find(set, 300), one[2]);
    ck_assert_ptr_null(breakers_find(set, 14));
    ck_assert_ptr_null(breakers_find(set, 100000));
    ck_assert_ptr_eq(breakers_victim(set), one[0]);
    breakers_use(set, one[0]);
    ck_assert_ptr_eq(breakers_victim(set), one[1]);
    one[1]->breaker.state = BREAKER_OPEN; /* closed ones go first */
    ck_assert_ptr_eq(breakers_victim(set), one[2]);
    breakers_use(set, one[2]); /* those of the other owner are older now, and stay */
    ck_assert_ptr_eq(breakers_victim(set), one[0]);
    breakers_drop(set, one[2]);
    ck_assert_ptr_null(breakers_find(set, 300));
    ck_assert_uint_eq(breakers_count(set), 4);
    ck_assert_ptr_nonnull(add(set, 3, 14));
    /* Of a queue there is always room, and it is nobody's. */
    const struct breaker_entry queue = {
        .kind = ESTIMATE_OF_QUEUE, .class = 20, .name = (char *)(uintptr_t) "q"};
    ck_assert_ptr_nonnull(breakers_add(set, &queue));
    ck_assert_ptr_null(add(set, 3, 15));
    breakers_free(set);
}
END_TEST

static bool always(const void *arg, uint64_t job)
{
    (void)arg;
    return job != 0;
}

START_TEST(what_is_parked_goes_in_the_order_of_the_submits)
{
    struct breakers *set = breakers_new(&rule, 5);
    struct breaker_entry *entry = add(set, 1, 10);
    for (uint64_t id = 1000; id > 0; id--)
        breakers_park(entry, id * 7 % 1009, always, NULL);
    ck_assert_uint_eq(entry->waiting, 1000);
    uint64_t last = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t id = breakers_take_parked(entry);
        ck_assert_uint_gt(id, last);
        last = id;
    }
    breakers_left(entry);
    ck_assert_uint_eq(breakers_take_parked(entry), 0);
    ck_assert_uint_eq(entry->waiting, 0);
    breakers_free(set);
}
END_TEST

START_TEST(keys)
{
    enum estimate_kind kind = ESTIMATE_KIND_COUNT;
    ck_assert_str_eq(breakers_key_parse("name:a:b", &kind), "a:b");
    ck_assert_int_eq(kind, ESTIMATE_OF_NAME);
    ck_assert_str_eq(breakers_key_parse("queue:", &kind), "");
    ck_assert_int_eq(kind, ESTIMATE_OF_QUEUE);
    ck_assert_str_eq(breakers_key_parse("type:video", &kind), "video");
    ck_assert_int_eq(kind, ESTIMATE_OF_TYPE);
    ck_assert_ptr_null(breakers_key_parse("video", &kind));
    ck_assert_ptr_null(breakers_key_parse("names:video", &kind));
    char *key = breakers_key(ESTIMATE_OF_TYPE, "video");
    ck_assert_str_eq(key, "type:video");
    free(key);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("breaker");
    TCase *tcase = tcase_create("breaker");
    tcase_add_test(tcase, every_state_and_event);
    tcase_add_test(tcase, it_opens_at_the_rate_and_not_before_the_minimum);
    tcase_add_test(tcase, it_is_tried_with_a_few_and_closes_or_opens_for_longer);
    tcase_add_test(tcase, the_time_doubles_up_to_its_limit);
    tcase_add_test(tcase, orders_are_followed_in_every_state);
    tcase_add_test(tcase, a_clock_that_is_put_back_opens_it_for_no_longer);
    tcase_add_test(tcase, a_rule_that_became_smaller);
    tcase_add_test(tcase, calm_below_half_of_the_rate);
    tcase_add_test(tcase, a_random_walk);
    tcase_add_test(tcase, who_has_the_most_loses_the_one_used_longest_ago);
    tcase_add_test(tcase, what_is_parked_goes_in_the_order_of_the_submits);
    tcase_add_test(tcase, keys);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
