/* The order in which a folder is gone through, and what is told of each entry. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/file_walk.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char base[] = "/tmp/batchd-walk-XXXXXX";

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(strcpy(base, "/tmp/batchd-walk-XXXXXX")));
    ck_assert_int_eq(chdir(base), 0);
    for (const char *const *name = (const char *const[]){"b", "b/empty", "b/deep", NULL};
         *name != NULL; name++)
        ck_assert_int_eq(mkdir(*name, 0750), 0);
    for (const char *const *name =
             (const char *const[]){"c", "a", "b/deep/z", "b/z2", "b/z10", NULL};
         *name != NULL; name++)
        ck_assert_int_eq(fclose(fopen(*name, "w")), 0);
    ck_assert_int_eq(symlink("nowhere", "d"), 0);
    ck_assert_int_eq(mkfifo("e", 0600), 0);
}

static void tear_down(void)
{
    CLEANUP_FREE char *command = xasprintf("rm -r %s", base);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(system(command), 0);
}

/* A letter for each kind and the path, one behind the other. */
static char *walked(const char *root)
{
    char *text = xstrdup("");
    struct file_walk *walk = file_walk_new(root);
    for (const struct walk_entry *entry; (entry = file_walk_next(walk)) != NULL;) {
        char *more = xasprintf("%s %c%s", text, "(),.?!-"[entry->kind], entry -> path);
        free(text);
        text = more;
    }
    file_walk_free(walk);
    return text;
}

START_TEST(in_the_order_of_names)
{
    CLEANUP_FREE char *text = walked(".");
    ck_assert_str_eq(text, " (. ,./a (./b (./b/deep ,./b/deep/z )./b/deep (./b/empty )./b/empty "
                           ",./b/z10 ,./b/z2 )./b ,./c ../d ?./e ).");
}
END_TEST

START_TEST(what_is_no_folder)
{
    CLEANUP_FREE char *file = walked("a"), *link = walked("d"), *gone = walked("nothing");
    ck_assert_str_eq(file, " ,a");
    ck_assert_str_eq(link, " .d");
    ck_assert_str_eq(gone, " -nothing");
}
END_TEST

START_TEST(a_folder_is_read_when_the_next_is_asked_for)
{
    struct file_walk *walk = file_walk_new("b/deep");
    const struct walk_entry *entry = file_walk_next(walk);
    ck_assert_int_eq(entry->kind, WALK_FOLDER);
    ck_assert_uint_eq(entry->info.st_mode & 0777U, 0750U);
    ck_assert_int_eq(rename("b/deep", "b/moved"), 0);
    entry = file_walk_next(walk);
    ck_assert_int_eq(entry->kind, WALK_UNREADABLE);
    ck_assert_int_eq(entry->problem, ENOENT);
    ck_assert_str_eq(entry->path, "b/deep");
    ck_assert_ptr_null(file_walk_next(walk));
    file_walk_free(walk);
}
END_TEST

START_TEST(it_ends_before_the_end)
{
    struct file_walk *walk = file_walk_new("b");
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_nonnull(file_walk_next(walk));
    file_walk_free(walk); /* what it holds is seen by the leak checker of make san */
    file_walk_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file_walk");
    TCase *tests = tcase_create("walk");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, in_the_order_of_names);
    tcase_add_test(tests, what_is_no_folder);
    tcase_add_test(tests, a_folder_is_read_when_the_next_is_asked_for);
    tcase_add_test(tests, it_ends_before_the_end);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
