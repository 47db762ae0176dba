/* The lines by which a processor asks for a checkpoint, in whatever pieces they come. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "worker/checkpoint_lines.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ASKS "{\"type\":\"checkpoint\""

static struct checkpoint_lines lines;

static void tear_down(void)
{
    checkpoint_lines_reset(&lines);
}

static void add(const char *text, size_t piece)
{
    size_t left = strlen(text);
    for (; left > 0; text += piece) {
        piece = piece < left ? piece : left;
        checkpoint_lines_add(&lines, text, piece);
        left -= piece;
    }
}

static void waits(const char *wanted)
{
    CLEANUP_FREE char *line = checkpoint_lines_take(&lines);
    if (wanted == NULL)
        ck_assert_ptr_null(line);
    else
        ck_assert_str_eq(line, wanted);
}

START_TEST(the_newest_waits)
{
    const size_t pieces[] = {1, 2, 7, 1000};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        add("{\"type\":\"log\",\"text\":\"x\"}\n" ASKS ",\"path\":\"a\"}\n", pieces[i]);
        add(ASKS ",\"path\":\"b\"}\n{\"type\":\"progress\"}\n" ASKS ",\"path\":\"c\"", pieces[i]);
        waits(ASKS ",\"path\":\"b\"}");
        waits(NULL);
        add("}\n", pieces[i]); /* only now it is a line */
        waits(ASKS ",\"path\":\"c\"}");
    }
}
END_TEST

START_TEST(what_waits_is_withdrawn)
{
    add(ASKS ",\"path\":\"a\"}\n" ASKS ",\"path\":null}\n", 5);
    waits(NULL);
    add(ASKS ",\"path\":null}\n" ASKS ",\"path\":\"b\"}\n", 5);
    char *line = checkpoint_lines_take(&lines);
    add(ASKS ",\"path\":null}\n", 5);
    checkpoint_lines_return(&lines, line); /* it was begun */
    waits(NULL);
    add(ASKS ",\"path\":\"b\"}\n", 5);
    waits(ASKS ",\"path\":\"b\"}");
}
END_TEST

START_TEST(others_ask_for_nothing)
{
    add("\n\n" ASKS "s\"}\n" ASKS "\n " ASKS "}\n{\"type\": \"checkpoint\"}\n", 1000);
    waits(NULL);
}
END_TEST

START_TEST(a_long_one_is_cut_and_the_next_is_whole)
{
    CLEANUP_FREE char *text = xmalloc(3UL * CHECKPOINT_LINE_MAX);
    memset(text, 'x', 3UL * CHECKPOINT_LINE_MAX);
    text[3UL * CHECKPOINT_LINE_MAX - 1] = '\0';
    memcpy(text, ASKS ",", sizeof(ASKS));
    add(text, 100);
    add("\n", 1);
    CLEANUP_FREE char *line = checkpoint_lines_take(&lines);
    ck_assert_uint_eq(strlen(line), CHECKPOINT_LINE_MAX);
    ck_assert_int_eq(strncmp(line, text, CHECKPOINT_LINE_MAX), 0);
    add(ASKS "}\n", 3);
    waits(ASKS "}");
}
END_TEST

START_TEST(one_that_comes_back_gives_way_to_a_newer_one)
{
    add(ASKS ",1}\n", 1000);
    char *line = checkpoint_lines_take(&lines);
    checkpoint_lines_return(&lines, line);
    waits(ASKS ",1}");
    add(ASKS ",1}\n", 1000);
    line = checkpoint_lines_take(&lines);
    add(ASKS ",2}\n", 1000);
    checkpoint_lines_return(&lines, line);
    waits(ASKS ",2}");
}
END_TEST

START_TEST(a_new_job_begins_with_none)
{
    add(ASKS ",1}\n" ASKS, 1000);
    checkpoint_lines_reset(&lines);
    waits(NULL);
    add(",2}\n", 1000);
    waits(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checkpoint_lines");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, the_newest_waits);
    tcase_add_test(tests, what_waits_is_withdrawn);
    tcase_add_test(tests, others_ask_for_nothing);
    tcase_add_test(tests, a_long_one_is_cut_and_the_next_is_whole);
    tcase_add_test(tests, one_that_comes_back_gives_way_to_a_newer_one);
    tcase_add_test(tests, a_new_job_begins_with_none);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
