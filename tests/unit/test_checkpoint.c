/* Checkpoints: what is committed is found, what is damaged is passed over, whatever byte it is. */
#include "common/alloc.h"
#include "common/checkpoint.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/file_tree.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what is synced, and when something gets its name ---- */

#define SYNCS_MAX 64U
static char synced[SYNCS_MAX][PATH_MAX];
static unsigned sync_count, syncs_before_name;

/* In the place of libc's. */
int fsync(int fd)
{
    char link[32];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ck_assert_uint_lt(sync_count, SYNCS_MAX);
    ssize_t length = readlink(link, synced[sync_count], PATH_MAX - 1);
    ck_assert_int_gt(length, 0);
    synced[sync_count++][length] = '\0';
    return (int)syscall(SYS_fsync, fd);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    syncs_before_name = sync_count;
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

static bool is_synced(const char *path, unsigned from, unsigned end)
{
    while (from < end && strcmp(synced[from], path) != 0)
        from++;
    return from < end;
}

/* ---- a folder with a source ---- */

static char base[] = "/tmp/batchd-checkpoint-XXXXXX";
static char *folder, *source;

static char *in(const char *parent, const char *name)
{
    return xasprintf("%s/%s", parent, name);
}

static void put(const char *path, const char *text)
{
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_write_all(fd, text, strlen(text)), 0);
}

static void set_up(void)
{
    sync_count = 0;
    ck_assert_ptr_nonnull(mkdtemp(strcpy(base, "/tmp/batchd-checkpoint-XXXXXX")));
    folder = in(base, "jobs/7/checkpoint");
    source = in(base, "state");
    ck_assert_int_eq(mkdir(source, 0750), 0);
    CLEANUP_FREE char *file = in(source, "count");
    CLEANUP_FREE char *sub = in(source, "sub");
    CLEANUP_FREE char *link = in(source, "link");
    put(file, "41");
    ck_assert_int_eq(mkdir(sub, 0500), 0); /* without the right to write: it can be removed, too */
    ck_assert_int_eq(symlink("count", link), 0);
}

static void tear_down(void)
{
    ck_assert_int_eq(file_tree_remove(base, NULL), 0);
    free(folder);
    free(source);
}

static uint64_t commit(const char *path)
{
    struct checkpoint made = {0};
    struct error err;
    ck_assert_msg(checkpoint_commit(folder, path, CHECKPOINT_OF_STANDING, 3, &made, &err) == 0,
                  "%s", err.text);
    uint64_t number = made.number;
    checkpoint_done(&made);
    return number;
}

struct notes {
    unsigned count;
    uint64_t last;
    char why[100];
};

static void note(void *arg, uint64_t number, const char *why)
{
    struct notes *notes = arg;
    notes->count++;
    notes->last = number;
    (void)snprintf(notes->why, sizeof(notes->why), "%s", why);
}

/* 0: there is none. */
static uint64_t newest(struct notes *notes)
{
    struct checkpoint found = {0};
    struct notes ignored = {0};
    int is = checkpoint_newest(folder, note, notes == NULL ? &ignored : notes, &found);
    uint64_t number = is > 0 ? found.number : 0;
    if (is > 0)
        ck_assert_uint_eq(found.attempt, 3);
    checkpoint_done(&found);
    return number;
}

static unsigned entries(void)
{
    unsigned count = 0;
    DIR *open = opendir(folder);
    ck_assert_ptr_nonnull(open);
    while (readdir(open) != NULL)
        count++;
    (void)closedir(open);
    return count - 2;
}

START_TEST(the_newest_is_found_and_two_are_kept)
{
    struct checkpoint found = {0};
    struct notes notes = {0};
    ck_assert_uint_eq(newest(NULL), 0);
    for (uint64_t number = 1; number <= 5; number++)
        ck_assert_uint_eq(commit(source), number);
    ck_assert_uint_eq(entries(), CHECKPOINTS_KEPT);
    ck_assert_int_eq(checkpoint_newest(folder, note, &notes, &found), 1);
    CLEANUP_FREE char *count = in(found.path, "count");
    CLEANUP_FREE char *link = in(found.path, "link");
    CLEANUP_FREE char *sub = in(found.path, "sub");
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, count, 100, &(size_t){0});
    char target[16] = "";
    struct stat info;
    ck_assert_str_eq(text, "41");
    ck_assert_int_eq(readlink(link, target, sizeof(target) - 1), 5);
    ck_assert_str_eq(target, "count");
    ck_assert_int_eq(stat(count, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0640);
    ck_assert_int_eq(stat(sub, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0500);
    ck_assert_uint_eq(found.bytes, 2);
    ck_assert_uint_eq(notes.count, 0);
    checkpoint_done(&found);
}
END_TEST

START_TEST(all_of_it_is_on_disk_before_it_has_its_name)
{
    static const char *const parts[] = {
        "", "/manifest", "/data", "/data/state", "/data/state/count", "/data/state/sub"};
    static const char *const parents[] = {"", "/jobs", "/jobs/7"};
    (void)commit(source);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        CLEANUP_FREE char *path = xasprintf("%s/.new%s", folder, parts[i]);
        ck_assert_msg(is_synced(path, 0, syncs_before_name), "%s", path);
    }
    ck_assert(is_synced(folder, syncs_before_name, sync_count));
    for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
        CLEANUP_FREE char *path = xasprintf("%s%s", base, parents[i]);
        ck_assert_msg(is_synced(path, 0, syncs_before_name), "%s", path);
    }
    sync_count = 0;
    (void)commit(source); /* the folders are there */
    ck_assert(!is_synced(base, 0, sync_count));
}
END_TEST

/* Each byte of both files, changed and as the end of the file. */
static void damage_each_byte(const char *path, size_t from_end)
{
    size_t bytes = 0;
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, 4096, &bytes);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i + from_end < bytes; i++) {
        CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
        char changed = (char)(text[i] ^ 1);
        ck_assert_int_eq(pwrite(fd, &changed, 1, (off_t)i), 1);
        ck_assert_msg(newest(NULL) == 1, "byte %zu of %s is changed", i, path);
        ck_assert_int_eq(ftruncate(fd, (off_t)i), 0);
        ck_assert_msg(newest(NULL) == 1, "%s has %zu bytes", path, i);
        ck_assert_int_eq(pwrite(fd, text, bytes, 0), (ssize_t)bytes);
        ck_assert_uint_eq(newest(NULL), 2);
    }
}

START_TEST(a_damaged_one_is_passed_over)
{
    (void)commit(source);
    (void)commit(source);
    CLEANUP_FREE char *manifest = in(folder, "2/manifest");
    CLEANUP_FREE char *count = in(folder, "2/data/state/count");
    damage_each_byte(manifest, 1); /* the newline at its end says nothing */
    damage_each_byte(count, 0);
}
END_TEST

/* What is there beside, what is missing, what has another kind or other rights. */
START_TEST(another_content_is_passed_over)
{
    struct notes notes = {0};
    (void)commit(source);
    (void)commit(source);
    CLEANUP_FREE char *count = in(folder, "2/data/state/count");
    CLEANUP_FREE char *more = in(folder, "2/data/more");
    put(more, "");
    ck_assert_uint_eq(newest(&notes), 1);
    ck_assert_uint_eq(notes.count, 1);
    ck_assert_uint_eq(notes.last, 2);
    ck_assert_str_eq(notes.why, "its files are damaged");
    ck_assert_int_eq(unlink(more), 0);
    ck_assert_uint_eq(newest(NULL), 2);
    ck_assert_int_eq(chmod(count, 0600), 0);
    ck_assert_uint_eq(newest(NULL), 1);
    ck_assert_int_eq(unlink(count), 0);
    ck_assert_uint_eq(newest(NULL), 1);
    ck_assert_int_eq(mkfifo(count, 0640), 0); /* would be waited for */
    ck_assert_uint_eq(newest(NULL), 1);
    ck_assert_int_eq(unlink(count), 0);
    ck_assert_int_eq(symlink("/dev/zero", count), 0); /* would be read without end */
    ck_assert_uint_eq(newest(NULL), 1);
}
END_TEST

START_TEST(one_under_another_number_is_passed_over)
{
    (void)commit(source);
    (void)commit(source);
    CLEANUP_FREE char *two = in(folder, "2");
    CLEANUP_FREE char *nine = in(folder, "9");
    ck_assert_int_eq(rename(two, nine), 0);
    ck_assert_uint_eq(newest(NULL), 1);
    ck_assert_uint_eq(commit(source), 10); /* no number comes twice */
}
END_TEST

/* Of the older ones a valid one is kept, not a damaged one because it is newer. */
START_TEST(a_valid_one_is_kept)
{
    (void)commit(source);
    (void)commit(source);
    CLEANUP_FREE char *manifest = in(folder, "2/manifest");
    put(manifest, "");
    ck_assert_uint_eq(commit(source), 3);
    manifest[strlen(folder) + 1] = '3';
    put(manifest, "");
    ck_assert_uint_eq(newest(NULL), 1);
    ck_assert_uint_eq(entries(), 2);
}
END_TEST

/* What a commit that was killed left is no checkpoint and does not stand in the way. */
START_TEST(a_torn_commit_does_not_count)
{
    (void)commit(source);
    CLEANUP_FREE char *one = in(folder, "1");
    CLEANUP_FREE char *torn = in(folder, ".new");
    ck_assert_int_eq(rename(one, torn), 0);
    ck_assert_uint_eq(newest(NULL), 0);
    ck_assert_uint_eq(commit(source), 1);
    ck_assert_uint_eq(entries(), 1);
}
END_TEST

static void refused(const char *path, const char *text)
{
    struct checkpoint made = {0};
    struct error err = {0};
    ck_assert_int_eq(checkpoint_commit(folder, path, CHECKPOINT_OF_STANDING, 3, &made, &err), -1);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    ck_assert_uint_eq(entries(), 1); /* and nothing of it is left */
}

START_TEST(what_cannot_be_one_is_refused)
{
    CLEANUP_FREE char *pipe = in(source, "pipe");
    CLEANUP_FREE char *missing = in(source, "missing");
    CLEANUP_FREE char *around = in(base, "around");
    (void)commit(source);
    refused(missing, "No such file");
    refused("/", "holds the job's checkpoints");
    refused(base, "holds the job's checkpoints");
    refused(folder, "holds the job's checkpoints");
    ck_assert_int_eq(symlink(base, around), 0);
    refused(around, "holds the job's checkpoints");
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    refused(source, "no file, no folder and no symbolic link");
    ck_assert_uint_eq(newest(NULL), 1);
}
END_TEST

/* Writes a number to a and then to b, again and again, with a rest now and then. */
__attribute__((noreturn)) static void write_pairs(void)
{
    CLEANUP_FREE char *first = in(source, "a");
    CLEANUP_FREE char *second = in(source, "b");
    char text[16];
    for (unsigned number = 1;; number++) {
        (void)snprintf(text, sizeof(text), "%09u", number);
        put(first, text);
        put(second, text);
        (void)usleep(number % 100 == 0 ? 20000 : 100);
    }
}

static unsigned number_in(const char *parent, const char *name)
{
    CLEANUP_FREE char *path = in(parent, name);
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, 100, NULL);
    return text == NULL ? 0 : (unsigned)strtoul(text, NULL, 10);
}

/* At each moment a is b, or the one behind it. */
START_TEST(what_moves_is_taken_as_it_was_at_one_moment)
{
    struct error err;
    unsigned taken = 0;
    pid_t writer = fork();
    if (writer == 0)
        write_pairs();
    for (unsigned i = 0; i < 2000 && taken < 20; i++) {
        struct checkpoint made = {0};
        sync_count = 0;
        if (checkpoint_commit(folder, source, CHECKPOINT_OF_MOVING, 1, &made, &err) == 0) {
            unsigned first = number_in(made.path, "a");
            unsigned second = number_in(made.path, "b");
            bool torn = first < second || first > second + 1;
            /* A file that is cut before it is written is empty for a moment: that was so. */
            ck_assert_msg(!torn || first == 0 || second == 0, "%u %u", first, second);
            taken += second > 0;
        } else {
            ck_assert_msg(err.code == ERROR_CONFLICT, "%s", err.text);
        }
        checkpoint_done(&made);
    }
    (void)kill(writer, SIGKILL);
    (void)waitpid(writer, NULL, 0);
    ck_assert_uint_eq(taken, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checkpoint");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_newest_is_found_and_two_are_kept);
    tcase_add_test(tests, all_of_it_is_on_disk_before_it_has_its_name);
    tcase_add_test(tests, a_damaged_one_is_passed_over);
    tcase_add_test(tests, another_content_is_passed_over);
    tcase_add_test(tests, one_under_another_number_is_passed_over);
    tcase_add_test(tests, a_valid_one_is_kept);
    tcase_add_test(tests, a_torn_commit_does_not_count);
    tcase_add_test(tests, what_cannot_be_one_is_refused);
    tcase_add_test(tests, what_moves_is_taken_as_it_was_at_one_moment);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
