/* The proof of a chunk that was encoded: one frame too many or too few, a time that is another, and
 * damage, as far as each way of looking reaches. The chunks are made by the ffmpeg tool. */
#include "processors/lib/lanes.h"
#include "processors/media/chunk_check.h"
#include "processors/media/media_log.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FRAMES = 60 };

static char folder[] = "/tmp/batchd-chunk-XXXXXX";
static char path[sizeof(folder) + 16];
static int64_t times[FRAMES + 1];
static const struct encoder_settings settings = {.time_base = {1, 25}, .threads = 1};

struct scene {
    struct chunk_written written;
    bool all;
    size_t decoded;
};

static int look(void *arg, struct lane *lane, unsigned unit, struct error *err)
{
    struct scene *scene = arg;
    (void)unit;
    return chunk_check(&scene->written, scene->all, lane, &scene->decoded, err);
}

static int run(struct scene *scene, struct error *err)
{
    static const unsigned units[] = {0};
    const struct lanes_work work = {
        .threads = 1, .units = units, .count = 1, .make = look, .arg = scene};
    return lanes_run(&work, err);
}

static struct scene scene_of(size_t count, bool all)
{
    return (struct scene){.written = {path, times, count, &settings}, .all = all};
}

static void make(void)
{
    char command[512];
    (void)snprintf(
        command, sizeof(command),
        "ffmpeg -v error -y -f lavfi -i testsrc=s=160x120:r=25 -frames:v %d -c:v libx264 "
        "-g 250 -bf 3 -output_ts_offset 1 -f nut %s",
        FRAMES, path);
    ck_assert_int_eq(system(command), 0); /* NOLINT: the tool that users have, words of our own */
    for (int i = 0; i <= FRAMES; i++)
        times[i] = 25 + i;
}

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(strcpy(folder, "/tmp/batchd-chunk-XXXXXX")));
    (void)snprintf(path, sizeof(path), "%s/0.nut", folder);
    make();
}

static void tear_down(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
}

/* Turns some bytes at that part (0..1) of the file. */
static void damage(double part)
{
    unsigned char bytes[16];
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat is;
    ck_assert_int_eq(fstat(fd, &is), 0);
    const off_t at = (off_t)((double)is.st_size * part);
    ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), at), sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] ^= 0x55;
    ck_assert_int_eq(pwrite(fd, bytes, sizeof(bytes), at), sizeof(bytes));
    (void)close(fd);
}

static void ck_refused(struct scene *scene, const char *text)
{
    struct error err;
    ck_assert_int_eq(run(scene, &err), -1);
    ck_assert_int_eq(err.code, ERROR_INTERNAL);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    ck_assert_ptr_nonnull(strstr(err.text, "the check of what was encoded"));
}

START_TEST(what_was_encoded)
{
    struct error err;
    struct scene all = scene_of(FRAMES, true);
    struct scene start = scene_of(FRAMES, false);
    ck_assert_int_eq(run(&all, &err), 0);
    ck_assert_uint_eq(all.decoded, FRAMES);
    ck_assert_int_eq(run(&start, &err), 0);
    ck_assert_uint_eq(start.decoded, CHUNK_CHECK_FRAMES);
}
END_TEST

START_TEST(a_frame_less_or_more)
{
    struct scene more = scene_of(FRAMES - 1, _i != 0);
    ck_refused(&more, "frame 60 of 59 of a chunk is not the one written");
    struct scene less = scene_of(FRAMES + 1, _i != 0);
    ck_refused(&less, "a chunk has 60 frames instead of 61");
}
END_TEST

/* Also of one that is not decoded. */
START_TEST(another_time)
{
    struct scene scene = scene_of(FRAMES, _i != 0);
    for (int i = FRAMES - 2; i < FRAMES; i++)
        times[i]++;
    ck_refused(&scene, "frame 59 of 60");
}
END_TEST

START_TEST(damage_at_its_start)
{
    struct scene scene = scene_of(FRAMES, _i != 0);
    damage(0.1);
    ck_refused(&scene, "");
}
END_TEST

START_TEST(damage_at_its_end)
{
    struct error err;
    struct scene all = scene_of(FRAMES, true);
    struct scene start = scene_of(FRAMES, false);
    damage(0.7);
    ck_refused(&all, "");
    ck_assert_int_eq(run(&start, &err), 0); /* documented: its packets are there */
}
END_TEST

START_TEST(cut_off)
{
    struct stat is;
    struct scene scene = scene_of(FRAMES, _i != 0);
    ck_assert_int_eq(stat(path, &is), 0);
    ck_assert_int_eq(truncate(path, is.st_size * 9 / 10), 0);
    ck_refused(&scene, "");
}
END_TEST

START_TEST(which_are_decoded_whole)
{
    const struct encoder_settings h264 = {.codec = "h264"};
    const struct encoder_settings h265 = {.codec = "h265"};
    const struct encoder_settings gpu = {.codec = "h264", .library = "h264_nvenc"};
    ck_assert(!chunk_check_all("auto", &h264));
    ck_assert(chunk_check_all("auto", &h265));
    ck_assert(chunk_check_all("auto", &gpu));
    ck_assert(chunk_check_all("all", &h264));
    ck_assert(!chunk_check_all("start", &gpu));
}
END_TEST

int main(void)
{
    media_log_init();
    Suite *suite = suite_create("the check of a chunk");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, what_was_encoded);
    tcase_add_loop_test(all, a_frame_less_or_more, 0, 2);
    tcase_add_loop_test(all, another_time, 0, 2);
    tcase_add_loop_test(all, damage_at_its_start, 0, 2);
    tcase_add_test(all, damage_at_its_end);
    tcase_add_loop_test(all, cut_off, 0, 2);
    tcase_add_test(all, which_are_decoded_whole);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
