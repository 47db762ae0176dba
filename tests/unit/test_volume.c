/* What is free against marks, what is kept, which file system a path is on; and a day of a disk
 * that fills up. */
#include "daemon/core/volume.h"
#include "daemon/resources/mounts.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct volume with(const char *disk, const char *inodes)
{
    struct volume volume = {.low = false};
    ck_assert_int_eq(volume_marks_parse(disk, VOLUME_DISK, &volume.disk, NULL), 0);
    ck_assert_int_eq(volume_marks_parse(inodes, VOLUME_INODES, &volume.inodes, NULL), 0);
    return volume;
}

static bool see(struct volume *volume, uint64_t size, uint64_t left, uint64_t inodes_free)
{
    const struct volume_room room = {.known = true,
                                     .size_bytes = size,
                                     .free_bytes = left,
                                     .inodes = 10000,
                                     .inodes_free = inodes_free};
    volume_see(volume, &room);
    return volume_open(volume);
}

START_TEST(between_the_marks_nothing_changes)
{
    struct volume volume = with("256M:512M", "1%:2%");
    ck_assert(see(&volume, 100 * GIB, 512 * MIB, 5000));
    ck_assert(see(&volume, 100 * GIB, 256 * MIB, 5000));
    ck_assert(!see(&volume, 100 * GIB, 256 * MIB - 1, 5000));
    ck_assert(!see(&volume, 100 * GIB, 512 * MIB - 1, 5000));
    ck_assert(see(&volume, 100 * GIB, 512 * MIB, 5000));
    ck_assert(see(&volume, 100 * GIB, GIB, 100));
    ck_assert(!see(&volume, 100 * GIB, GIB, 99) && volume.few_inodes && !volume.low);
    ck_assert(!see(&volume, 100 * GIB, GIB, 199));
    ck_assert(see(&volume, 100 * GIB, GIB, 200));
}
END_TEST

START_TEST(at_first_sight_it_is_as_it_was_before_a_restart)
{
    struct volume volume = with("256M:512M", "1%:2%");
    ck_assert(see(&volume, 100 * GIB, 300 * MIB, 150)); /* nobody said that it was full */
    ck_assert(!see(&volume, 100 * GIB, GIB, 50));
    const uint64_t few_inodes = volume_closed(&volume);
    ck_assert(!see(&volume, 100 * GIB, 200 * MIB, 5000));
    const uint64_t low = volume_closed(&volume);
    volume = with("256M:512M", "1%:2%");
    volume_restore(&volume, few_inodes);
    ck_assert(!see(&volume, 100 * GIB, 300 * MIB, 150) && volume.few_inodes && !volume.low);
    volume_restore(&volume, low);
    ck_assert(!see(&volume, 100 * GIB, 300 * MIB, 150) && volume.low && !volume.few_inodes);
    ck_assert(see(&volume, 100 * GIB, 512 * MIB, 150) && volume_closed(&volume) == 0);
}
END_TEST

START_TEST(what_is_not_known_stops_nobody)
{
    const struct volume_room unknown = {.known = false};
    struct volume volume = with("256M:512M", "1%:2%");
    ck_assert(!see(&volume, 100 * GIB, 0, 0));
    volume_see(&volume, &unknown);
    ck_assert(volume_open(&volume) && volume_left(&volume, 50 * GIB) == UINT64_MAX);
    volume = with("off", "off");
    ck_assert(see(&volume, 100 * GIB, 0, 0));
    volume = with("256M:512M", "1%:2%"); /* it has no fixed number of inodes */
    volume_see(&volume, &(struct volume_room){.known = true, .size_bytes = GIB, .free_bytes = GIB});
    ck_assert(volume_open(&volume));
}
END_TEST

START_TEST(marks_of_a_small_one)
{
    struct volume volume = with("256M:512M", "1%:2%");
    (void)see(&volume, GIB, GIB, 5000);
    ck_assert_uint_eq(volume_stop(&volume, VOLUME_DISK), GIB / 20);
    ck_assert_uint_eq(volume_go(&volume, VOLUME_DISK), GIB / 10);
    ck_assert_uint_eq(volume_stop(&volume, VOLUME_INODES), 100);
    ck_assert_uint_eq(volume_go(&volume, VOLUME_INODES), 200);
    volume = with("30%:60%", "off"); /* as they are */
    (void)see(&volume, GIB + 50, GIB, 5000);
    ck_assert_uint_eq(volume_stop(&volume, VOLUME_DISK), (GIB + 50) * 30 / 100);
}
END_TEST

START_TEST(what_is_left)
{
    struct volume volume = with("256M:512M", "off");
    (void)see(&volume, 100 * GIB, GIB, 0);
    ck_assert_uint_eq(volume_left(&volume, 0), 768 * MIB);
    ck_assert_uint_eq(volume_left(&volume, 700 * MIB), 68 * MIB);
    ck_assert_uint_eq(volume_left(&volume, 768 * MIB), 0);
    ck_assert_uint_eq(volume_left(&volume, 50 * GIB), 0);
    (void)see(&volume, 100 * GIB, 100 * MIB, 0);
    ck_assert_uint_eq(volume_left(&volume, 0), 0);
}
END_TEST

static const struct {
    const char *text;
    enum volume_kind kind;
    bool percent;
    uint64_t stop, go; /* 0, 1: refused */
} texts[] = {
    {"256M:512M", VOLUME_DISK, false, 256 * MIB, 512 * MIB},
    {"1:1", VOLUME_DISK, false, 1, 1},
    {"5%:10%", VOLUME_DISK, true, 5, 10},
    {"100%:100%", VOLUME_INODES, true, 100, 100},
    {"off", VOLUME_INODES, false, 0, 0},
    {"512M:256M", VOLUME_DISK, false, 0, 1},
    {"5%:1G", VOLUME_DISK, false, 0, 1},
    {"1M:5%", VOLUME_DISK, false, 0, 1},
    {"0:1G", VOLUME_DISK, false, 0, 1},
    {"0%:5%", VOLUME_DISK, false, 0, 1},
    {"5%:101%", VOLUME_DISK, false, 0, 1},
    {"5%", VOLUME_DISK, false, 0, 1},
    {":5%", VOLUME_DISK, false, 0, 1},
    {"%:5%", VOLUME_DISK, false, 0, 1},
    {"5%:", VOLUME_DISK, false, 0, 1},
    {"5%:10%:20%", VOLUME_DISK, false, 0, 1},
    {"1K:2K", VOLUME_INODES, false, 0, 1},
    {"00000005%:00000010%", VOLUME_DISK, false, 0, 1},
    {"", VOLUME_DISK, false, 0, 1},
};

START_TEST(how_marks_are_written)
{
    struct error err;
    struct volume_marks marks;
    const bool right = texts[_i].stop > 0 || texts[_i].go == 0;
    ck_assert_int_eq(volume_marks_parse(texts[_i].text, texts[_i].kind, &marks, &err),
                     right ? 0 : -1);
    if (right) {
        ck_assert_uint_eq(marks.stop, texts[_i].stop);
        ck_assert_uint_eq(marks.go, texts[_i].go);
        ck_assert_int_eq(marks.percent, texts[_i].percent);
        return;
    }
    ck_assert_int_eq(err.code, ERROR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "with STOP <= GO"));
}
END_TEST

/* Files come and go with the hour, by chance, and 20 jobs that say what they write and write it.
 * The disk is never full, and it stops and goes on once for each time that it is filled by others.
 */
START_TEST(a_day_of_a_disk)
{
    enum { STEPS = 43200, JOBS = 20 };
    struct volume volume = with("256M:512M", "off");
    uint64_t asked[JOBS] = {0}, written[JOBS] = {0};
    uint64_t done = 0, least = UINT64_MAX, largest_ask = 0;
    unsigned changes = 0;
    bool was = true;
    srand(11); /* NOLINT: any noise will do */
    for (unsigned i = 0; i < STEPS; i++) {
        /* Six times a day others fill it to within 100 MiB. */
        const double part = 0.5 - 0.5 * cos(2 * M_PI * 6 * i / STEPS);
        uint64_t used = (uint64_t)(part * (double)(10 * GIB - 100 * MIB - 1));
        uint64_t kept = 0, all = 0;
        for (unsigned job = 0; job < JOBS; job++) {
            written[job] += asked[job] > written[job] ? 4 * MIB : 0;
            if (asked[job] > 0 && written[job] >= asked[job] && rand() % 20 == 0) { /* NOLINT */
                asked[job] = written[job] = 0;
                done++;
            }
            kept += asked[job];
            all += written[job];
        }
        const uint64_t left = used + all < 10 * GIB ? 10 * GIB - used - all : 0;
        const bool is = see(&volume, 10 * GIB, left, 0);
        changes += is != was;
        was = is;
        least = used < 5 * GIB && left < least ? left : least;
        for (unsigned job = 0; is && job < JOBS; job++) {
            const uint64_t wanted = (uint64_t)(rand() % 100 + 1) * 4 * MIB; /* NOLINT */
            if (asked[job] > 0 || wanted > volume_left(&volume, kept))
                continue;
            asked[job] = wanted;
            kept += wanted;
            largest_ask = kept > largest_ask ? kept : largest_ask;
        }
    }
    ck_assert_uint_ge(changes, 12);
    ck_assert_uint_le(changes, 16);      /* what jobs remove as it fills up may open it once more */
    ck_assert_uint_ge(least, 256 * MIB); /* what jobs wrote alone never came below the mark */
    ck_assert_uint_gt(largest_ask, 3 * GIB);
    ck_assert_uint_gt(done, 5000);
}
END_TEST

/* ---- mounts ---- */

static char root[] = "/tmp/batchd-mounts-XXXXXX";

static struct mounts *mounts_of(const char *text)
{
    char path[128];
    ck_assert_ptr_nonnull(mkdtemp(strcpy(root, "/tmp/batchd-mounts-XXXXXX")));
    (void)snprintf(path, sizeof(path), "%s/proc", root);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/proc/self", root);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/proc/self/mountinfo", root);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    struct mounts *mounts = mounts_read(root);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/proc/self", root);
    (void)rmdir(path);
    (void)snprintf(path, sizeof(path), "%s/proc", root);
    (void)rmdir(path);
    (void)rmdir(root);
    return mounts;
}

static const char table[] = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
                            "23 22 0:5 / /proc rw - proc proc rw\n"
                            "30 22 8:2 / /data rw master:1 shared:7 - xfs /dev/sda2 rw\n"
                            "31 30 0:44 / /data/net rw - nfs4 server:/x rw\n"
                            "32 22 8:3 / /with\\040blank rw - btrfs /dev/sdb rw\n"
                            "33 22 8:4 / /data rw - ext4 /dev/over rw\n"
                            "34 22 8:2 /sub /bound rw - xfs /dev/sda2 rw\n"
                            "37 22 0:24 /systemd/inaccessible/dir /home ro - tmpfs tmpfs rw\n"
                            "garbage\n35 22 x:y / /bad rw - ext4 z rw\n36 22 8:9 / /cut";

static const struct {
    const char *folder, *path, *point; /* NULL: none */
    unsigned minor;
    bool local;
} places[] = {{"", "/", "/", 1, true},
              {"", "/database/x", "/", 1, true},
              {"", "/data", "/data", 4, true}, /* the later one is on top */
              {"", "/data/a/b", "/data", 4, true},
              {"", "/data/net/b", "/data/net", 44, false},
              {"", "/data/net/../b", "/data", 4, true},
              {"", "/../..//data/./net", "/data/net", 44, false},
              {"", "/with blank/x", "/with blank", 3, true},
              {"", "/bound/x", "/bound", 2, true},
              {"", "/proc/self", "/proc", 5, false},
              {"", "/bad/x", "/", 1, true},
              {"/data", "out/x", "/data", 4, true},
              {"/data/net", "../x", "/data", 4, true},
              {"/data/net", "/srv", "/", 1, true},
              {"", "/home/alice", "/home", 24, false}};

START_TEST(which_file_system)
{
    struct mounts *mounts = mounts_of(table);
    const struct mount *mount = mounts_find(mounts, places[_i].folder, places[_i].path);
    ck_assert_ptr_nonnull(mount);
    ck_assert_str_eq(mount->point, places[_i].point);
    ck_assert_uint_eq(mount->device & 0xffU, places[_i].minor);
    ck_assert_int_eq(mount->local, places[_i].local);
    ck_assert(mounts_have(mounts, mount->point, mount->device));
    ck_assert(!mounts_have(mounts, mount->point, mount->device + 1));
    mounts_free(mounts);
}
END_TEST

START_TEST(no_list)
{
    struct mounts *mounts = mounts_of("");
    ck_assert_ptr_null(mounts_find(mounts, "", "/data"));
    ck_assert(!mounts_have(mounts, "/data", 1));
    mounts_free(mounts);
    mounts = mounts_read("/nowhere");
    ck_assert_ptr_null(mounts_find(mounts, "", "/"));
    mounts_free(mounts);
    mounts_free(NULL);
}
END_TEST

START_TEST(this_machine)
{
    struct volume_room room;
    struct mounts *mounts = mounts_read("");
    ck_assert_ptr_nonnull(mounts_find(mounts, "", "/tmp"));
    mounts_ask("/", &room);
    ck_assert(room.known && room.size_bytes >= room.free_bytes);
    mounts_ask("/nowhere", &room);
    ck_assert(!room.known);
    mounts_ask("/proc", &room); /* it has no size */
    ck_assert(!room.known);
    mounts_free(mounts);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("volumes and mounts");
    TCase *all = tcase_create("all");
    tcase_add_test(all, between_the_marks_nothing_changes);
    tcase_add_test(all, at_first_sight_it_is_as_it_was_before_a_restart);
    tcase_add_test(all, what_is_not_known_stops_nobody);
    tcase_add_test(all, marks_of_a_small_one);
    tcase_add_test(all, what_is_left);
    tcase_add_loop_test(all, how_marks_are_written, 0, (int)(sizeof(texts) / sizeof(texts[0])));
    tcase_add_test(all, a_day_of_a_disk);
    tcase_add_loop_test(all, which_file_system, 0, (int)(sizeof(places) / sizeof(places[0])));
    tcase_add_test(all, no_list);
    tcase_add_test(all, this_machine);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
