/* The table of states in batchd-protocol(7) and the one in daemon/core/job_state.c say the same:
 * every row of the manual is a transition, and every transition is a row. Run from the root of the
 * tree. */
#include "daemon/core/job_state.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE "man/batchd-protocol.7.in"

static int event_of(const char *word)
{
    for (int event = 0; event < JOB_EVENT_COUNT; event++) {
        if (strcmp(word, job_event_word((enum job_event)event)) == 0)
            return event;
    }
    return -1;
}

/* Rows of the page into `next`, which holds -1 where there is none; how many. */
static int read_rows(int next[JOB_STATE_COUNT][JOB_EVENT_COUNT])
{
    char line[256];
    int rows = 0;
    FILE *page = fopen(PAGE, "re");
    ck_assert_msg(page != NULL, "cannot open " PAGE);
    while (fgets(line, sizeof(line), page) != NULL) {
        char from[32];
        char event[32];
        char to[32];
        enum job_state state;
        enum job_state after;
        if (sscanf(line, ".It %31s Ta %31s Ta %31s", from, event, to) != 3)
            continue;
        ck_assert_msg(job_state_parse(from, &state) == 0 && job_state_parse(to, &after) == 0 &&
                          event_of(event) >= 0,
                      "no such row: %s", line);
        ck_assert_int_eq(next[state][event_of(event)], -1);
        next[state][event_of(event)] = (int)after;
        rows++;
    }
    (void)fclose(page);
    return rows;
}

START_TEST(manual_and_table_agree)
{
    int next[JOB_STATE_COUNT][JOB_EVENT_COUNT];
    memset(next, -1, sizeof(next));
    ck_assert_int_gt(read_rows(next), 0);
    for (int state = 0; state < JOB_STATE_COUNT; state++) {
        for (int event = 0; event < JOB_EVENT_COUNT; event++)
            ck_assert_msg(job_state_next((enum job_state)state, (enum job_event)event) ==
                              next[state][event],
                          "%s + %s", job_state_word((enum job_state)state),
                          job_event_word((enum job_event)event));
    }
}
END_TEST

START_TEST(words_come_back)
{
    enum job_state state;
    for (int i = 0; i < JOB_STATE_COUNT; i++) {
        ck_assert_int_eq(job_state_parse(job_state_word((enum job_state)i), &state), 0);
        ck_assert_int_eq((int)state, i);
    }
    ck_assert_int_lt(job_state_parse("finished", &state), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job_state");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, manual_and_table_agree);
    tcase_add_test(tests, words_come_back);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
