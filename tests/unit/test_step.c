/* What batchd-job tells the worker, which believes none of it blindly; and the names of staged
 * outputs.
 */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/staged_path.h"
#include "worker/step.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* In pieces of so many bytes. */
static struct step_news tell(const char *text, size_t piece)
{
    struct step_lines lines = {.used = 0};
    struct step_news told;
    size_t left = strlen(text);
    for (; left > 0; text += piece) {
        piece = piece < left ? piece : left;
        step_lines_add(&lines, text, piece);
        left -= piece;
    }
    step_lines_read(&lines, &told);
    return told;
}

START_TEST(lines_say_what_they_say_in_whatever_pieces)
{
    static const char text[] =
        "note checkpoint 4 was passed over: damaged\nresumed 3 2\n"
        "note second\nspawn 2\nusage 7 8 9 1\nfailed output \"a\": it is empty\n";
    const size_t pieces[] = {1, 2, 7, sizeof(text)};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct step_news told = tell(text, pieces[i]);
        ck_assert_str_eq(told.notes.text, "checkpoint 4 was passed over: damaged; second");
        ck_assert_uint_eq(told.notes.resumed_number, 3);
        ck_assert_uint_eq(told.notes.resumed_attempt, 2);
        ck_assert_int_eq(told.spawn_errno, 2);
        ck_assert_uint_eq(told.user_us, 7);
        ck_assert_uint_eq(told.system_us, 8);
        ck_assert_uint_eq(told.max_rss_bytes, 9);
        ck_assert(told.told);
        ck_assert_str_eq(told.failed, "output \"a\": it is empty");
    }
}
END_TEST

START_TEST(what_is_no_line_says_nothing)
{
    static const char *const texts[] = {"",          "resumed 3 2",   "spawn 2",        "failed x",
                                        "\n\n\n",    "notes x\n",     "spawned 2\n",    "note\n",
                                        "failed\n",  "resumed\n",     "spawn\n",        "spawn x\n",
                                        "spawn 0\n", "resumed x y\n", "usage 1 1 1 0\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct step_news told = tell(texts[i], 3);
        ck_assert(!told.told);
        ck_assert_str_eq(told.notes.text, "");
        ck_assert_str_eq(told.failed, "");
        ck_assert_uint_eq(told.notes.resumed_number, 0);
        ck_assert_int_eq(told.spawn_errno, 0);
    }
}
END_TEST

/* So that nobody is told again and again of what the user's processes write without end. */
START_TEST(only_a_whole_line_is_news)
{
    struct step_lines lines = {.used = 0};
    ck_assert(!step_lines_add(&lines, "note x", 6));
    ck_assert(step_lines_add(&lines, "\nnote", 5));
    ck_assert(!step_lines_add(&lines, " y", 2));
    for (unsigned i = 0; i < STEP_LINES_MAX; i++)
        (void)step_lines_add(&lines, "x", 1);
    ck_assert_uint_eq(lines.used, STEP_LINES_MAX - 1);
    ck_assert(!step_lines_add(&lines, "note too much\n", 14));
}
END_TEST

START_TEST(too_much_is_cut)
{
    CLEANUP_FREE char *text = xmalloc(3 * STEP_LINES_MAX);
    memset(text, 'x', 3 * STEP_LINES_MAX);
    text[3 * STEP_LINES_MAX - 1] = '\0';
    memcpy(text, "note ", 5);
    ck_assert_str_eq(tell(text, 1000).notes.text, ""); /* its end never came */
    text[1000] = '\n';
    ck_assert_uint_eq(strlen(tell(text, 1000).notes.text), 199);
    memcpy(text, "failed ", 7);
    ck_assert_uint_eq(strlen(tell(text, 1000).failed), 199);
    for (size_t i = 0; i + 7 < STEP_LINES_MAX; i += 7)
        memcpy(text + i, "note x\n", 7);
    ck_assert_uint_eq(strlen(tell(text, 64).notes.text), 199);
    ck_assert_int_ge(tell("spawn 99999999999999999999999\n", 9).spawn_errno, 0);
}
END_TEST

static char *staged(const char *path, bool is_task, unsigned number)
{
    const struct attempt_id id = {.job = 42, .index = 7, .attempt = 3, .is_task = is_task};
    return staged_path(path, &id, number);
}

START_TEST(an_output_is_staged_beside_its_place)
{
    CLEANUP_FREE char *plain = staged("out.mp4", false, 1);
    CLEANUP_FREE char *task = staged("/a/b.c/out", true, 2);
    ck_assert_str_eq(plain, ".batchd-42-3-1.out.mp4");
    ck_assert_str_eq(task, "/a/b.c/.batchd-42_7-3-2.out");
    char name[301] = "d/";
    memset(name + 2, 'n', 254);
    memcpy(name + 256, ".mp4", 5);
    CLEANUP_FREE char *longest = staged(name, true, 64);
    ck_assert_uint_le(strlen(longest), 2 + 255);
    ck_assert_str_eq(longest + strlen(longest) - 5, "n.mp4");
}
END_TEST

/* The processors of a job that has ended may be gone. */
START_TEST(what_comes_behind_a_job_is_bound_to_nothing)
{
    static char word[] = "word";
    char *argv[] = {word, NULL};
    const struct job_run run = {
        .program = word, .argv = argv, .argc = 1, .bound = {.bits = {8}}, .output_count = 0};
    struct job_run behind[] = {step_finish(&run, word, 1), step_discard(&run, word),
                               step_checkpoint(&run, word, word)};
    struct job_run begin = step_begin(&run, word);
    for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
        ck_assert(cpu_list_is_empty(&behind[i].bound));
        step_done(&behind[i]);
    }
    ck_assert(cpu_list_has(&begin.bound, 3));
    step_done(&begin);
}
END_TEST

START_TEST(a_further_attempt_begins_with_a_step_if_one_began_before)
{
    struct job_run run = {.id = {.attempt = 1}};
    ck_assert(!step_begins(&run));
    run.id.attempt = 2;
    ck_assert(step_begins(&run));
    run.flags = RUN_SERVES;
    ck_assert(step_begins(&run));
    run.flags |= RUN_FIRST;
    ck_assert(!step_begins(&run));
    run.output_count = 1;
    ck_assert(step_begins(&run));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("step");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, lines_say_what_they_say_in_whatever_pieces);
    tcase_add_test(tests, what_is_no_line_says_nothing);
    tcase_add_test(tests, only_a_whole_line_is_news);
    tcase_add_test(tests, too_much_is_cut);
    tcase_add_test(tests, an_output_is_staged_beside_its_place);
    tcase_add_test(tests, what_comes_behind_a_job_is_bound_to_nothing);
    tcase_add_test(tests, a_further_attempt_begins_with_a_step_if_one_began_before);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
