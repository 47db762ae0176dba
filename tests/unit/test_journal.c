/* The journal of a job that is made in units: what a crash or a bad disk leaves of it. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"
#include "processors/lib/journal.h"
#include "processors/lib/request.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static char folder[] = "/tmp/batchd-journal-XXXXXX";
static const struct request request = {.job = 7, .attempt = 1, .cpus = 1};
static char *target;

static void make_folder(void)
{
    memcpy(strrchr(folder, '-'), "-XXXXXX", sizeof("-XXXXXX"));
    ck_assert_ptr_nonnull(mkdtemp(folder));
    target = xasprintf("%s/out.mp4", folder);
    ck_assert_int_eq(unsetenv("BATCHD_CHECKPOINT_DIR"), 0);
}

static void remove_folder(void)
{
    CLEANUP_FREE char *command = xasprintf("rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c): a path of ours */
    free(target);
}

static struct journal *open_with(const char *source)
{
    struct error err;
    struct journal *journal = NULL;
    CLEANUP_JSON json_t *key = json_pack("{s:s,s:i}", "source", source, "crf", 23);
    ck_assert_int_eq(journal_open(&request, target, key, &journal, &err), 0);
    return journal;
}

/* With the plan [0, 240] and so many units, each with its number of frames. */
static struct journal *begin_with(const char *source, unsigned units)
{
    struct error err;
    struct journal *journal = open_with(source);
    CLEANUP_JSON json_t *plan = json_pack("[i,i]", 0, 240);
    ck_assert_int_eq(journal_begin(journal, plan, &err), 0);
    for (unsigned unit = 0; unit < units; unit++) {
        CLEANUP_JSON json_t *facts = json_pack("{s:i}", "frames", 100 + (int)unit);
        ck_assert_int_eq(journal_add(journal, unit, facts, &err), 0);
    }
    return journal;
}

static int frames_of(struct journal *journal, unsigned unit)
{
    CLEANUP_JSON json_t *facts = journal_find(journal, unit);
    return facts == NULL ? -1 : (int)json_integer_value(json_object_get(facts, "frames"));
}

static char *log_path(void)
{
    return xasprintf("%s/.out.mp4.batchd-7.work/done.log", folder);
}

static size_t log_bytes(void)
{
    CLEANUP_FREE char *path = log_path();
    size_t bytes = 0;
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, 1 << 20, &bytes);
    ck_assert_ptr_nonnull(text);
    return bytes;
}

START_TEST(what_was_done_is_found_again)
{
    struct journal *journal = begin_with("a", 3);
    ck_assert_uint_eq(journal_added(journal), 3);
    journal_close(journal);
    journal = open_with("a");
    ck_assert_int_eq((int)json_integer_value(json_array_get(journal_plan(journal), 1)), 240);
    for (unsigned unit = 0; unit < 3; unit++)
        ck_assert_int_eq(frames_of(journal, unit), 100 + (int)unit);
    ck_assert_int_eq(frames_of(journal, 3), -1);
    ck_assert_uint_eq(journal_added(journal), 0);
    journal_drop(journal, 1);
    ck_assert_int_eq(frames_of(journal, 1), -1);
    journal_close(journal);
}
END_TEST

START_TEST(another_key_begins_anew)
{
    journal_close(begin_with("a", 3));
    struct journal *journal = open_with("b");
    ck_assert_ptr_null(journal_plan(journal));
    ck_assert_int_eq(frames_of(journal, 0), -1);
    journal_close(journal);
    journal_close(begin_with("b", 0));
    journal = open_with("b");
    ck_assert_ptr_nonnull(journal_plan(journal));
    ck_assert_int_eq(frames_of(journal, 0), -1); /* nothing of the other's */
    journal_close(journal);
}
END_TEST

/* Cut after each byte of its last line: it is dropped, the others stay, and what is added behind it
 * is read. */
START_TEST(a_torn_line_is_dropped)
{
    struct error err;
    CLEANUP_FREE char *path = log_path();
    journal_close(begin_with("a", 1));
    const size_t one = log_bytes();
    journal_close(begin_with("a", 2));
    const size_t two = log_bytes();
    for (size_t bytes = one; bytes < two - 1; bytes++) { /* without its end alone it is whole */
        journal_close(begin_with("a", 2));
        ck_assert_int_eq(truncate(path, (off_t)bytes), 0);
        struct journal *journal = open_with("a");
        ck_assert_int_eq(frames_of(journal, 0), 100);
        ck_assert_int_eq(frames_of(journal, 1), -1);
        CLEANUP_JSON json_t *facts = json_pack("{s:i}", "frames", 555);
        ck_assert_int_eq(journal_add(journal, 4, facts, &err), 0);
        journal_close(journal);
        journal = open_with("a");
        ck_assert_int_eq(frames_of(journal, 0), 100);
        ck_assert_int_eq(frames_of(journal, 1), -1);
        ck_assert_int_eq(frames_of(journal, 4), 555);
        journal_close(journal);
    }
}
END_TEST

/* Each bit of the log: its line is dropped, no other is, and no line says something else. */
START_TEST(a_flipped_bit_costs_its_line_alone)
{
    CLEANUP_FREE char *path = log_path();
    journal_close(begin_with("a", 1));
    const size_t one = log_bytes();
    journal_close(begin_with("a", 2));
    const size_t two = log_bytes();
    CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
    for (size_t bit = 0; bit < 8 * two; bit++) {
        unsigned char is;
        unsigned char flipped;
        ck_assert_int_eq(pread(fd, &is, 1, (off_t)(bit / 8)), 1);
        flipped = (unsigned char)(is ^ (1U << (bit % 8)));
        ck_assert_int_eq(pwrite(fd, &flipped, 1, (off_t)(bit / 8)), 1);
        struct journal *journal = open_with("a");
        const bool joined = bit / 8 == one - 1; /* the end of the first line: both are one */
        ck_assert_int_eq(frames_of(journal, 0), bit / 8 < one ? -1 : 100);
        ck_assert_int_eq(frames_of(journal, 1), bit / 8 >= one || joined ? -1 : 101);
        journal_close(journal);
        ck_assert_int_eq(pwrite(fd, &is, 1, (off_t)(bit / 8)), 1);
    }
}
END_TEST

START_TEST(what_is_noted_behind_another_plan_is_kept)
{
    struct error err;
    struct journal *journal = begin_with("a", 2);
    CLEANUP_JSON json_t *plan = json_pack("[i]", 7);
    CLEANUP_JSON json_t *facts = json_pack("{s:i}", "frames", 555);
    ck_assert_int_eq(journal_begin(journal, plan, &err), 0);
    ck_assert_uint_eq(journal_added(journal), 0);
    ck_assert_int_eq(frames_of(journal, 1), -1);
    ck_assert_int_eq(journal_add(journal, 0, facts, &err), 0);
    journal_close(journal);
    journal = open_with("a");
    ck_assert_int_eq(frames_of(journal, 0), 555);
    ck_assert_int_eq(frames_of(journal, 1), -1);
    journal_close(journal);
}
END_TEST

START_TEST(a_damaged_plan_begins_anew)
{
    CLEANUP_FREE char *path = xasprintf("%s/.out.mp4.batchd-7.work/plan.json", folder);
    journal_close(begin_with("a", 1));
    ck_assert_int_eq(truncate(path, 20), 0);
    struct journal *journal = open_with("a");
    ck_assert_ptr_null(journal_plan(journal));
    ck_assert_int_eq(frames_of(journal, 0), -1);
    journal_close(journal);
}
END_TEST

START_TEST(two_at_a_time_are_refused)
{
    struct error err;
    struct journal *first = begin_with("a", 1);
    struct journal *second = NULL;
    CLEANUP_JSON json_t *key = json_object();
    ck_assert_int_eq(journal_open(&request, target, key, &second, &err), -1);
    ck_assert_int_eq(err.code, ERROR_BUSY);
    journal_close(second);
    ck_assert_int_eq(frames_of(first, 0), 100);
    journal_close(first);
}
END_TEST

START_TEST(it_lies_with_the_jobs_checkpoints_and_goes_as_a_whole)
{
    CLEANUP_FREE char *kept = xasprintf("%s/jobs/7/checkpoint", folder);
    CLEANUP_FREE char *work = xasprintf("%s/work", kept);
    ck_assert_int_eq(setenv("BATCHD_CHECKPOINT_DIR", kept, 1), 0);
    struct journal *journal = begin_with("a", 1);
    ck_assert_str_eq(journal_folder(journal), work);
    CLEANUP_FREE char *unit = journal_path(journal, 0, "nut");
    CLEANUP_CLOSE int fd = open(unit, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    journal_remove(journal);
    ck_assert_int_ne(access(work, F_OK), 0);
    ck_assert_int_eq(access(kept, F_OK), 0);
    journal_close(journal);
}
END_TEST

START_TEST(what_was_being_written_is_swept)
{
    struct journal *journal = begin_with("a", 1);
    CLEANUP_FREE char *part = journal_path(journal, 1, "nut.part");
    CLEANUP_FREE char *whole = journal_path(journal, 0, "nut");
    const char *const paths[] = {part, whole};
    for (size_t i = 0; i < 2; i++) {
        CLEANUP_CLOSE int fd = open(paths[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
    }
    journal_close(journal);
    journal_close(open_with("a"));
    ck_assert_int_ne(access(part, F_OK), 0);
    ck_assert_int_eq(access(whole, F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal");
    TCase *tests = tcase_create("journal");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_was_done_is_found_again);
    tcase_add_test(tests, another_key_begins_anew);
    tcase_add_test(tests, a_torn_line_is_dropped);
    tcase_add_test(tests, a_flipped_bit_costs_its_line_alone);
    tcase_add_test(tests, what_is_noted_behind_another_plan_is_kept);
    tcase_add_test(tests, a_damaged_plan_begins_anew);
    tcase_add_test(tests, two_at_a_time_are_refused);
    tcase_add_test(tests, it_lies_with_the_jobs_checkpoints_and_goes_as_a_whole);
    tcase_add_test(tests, what_was_being_written_is_swept);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
