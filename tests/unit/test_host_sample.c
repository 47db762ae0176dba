/* What is read of the machine, from folders that stand for machines. */
#include "daemon/resources/host_sample.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/batchd-host-XXXXXX";

static const char *const names[] = {"stat",         "loadavg",         "meminfo",
                                    "pressure/cpu", "pressure/memory", "pressure/io"};

static void path_of(const char *name, char *ret, size_t bytes)
{
    (void)snprintf(ret, bytes, "%s/proc/%s", root, name);
}

static void put(const char *name, const char *text)
{
    char path[256];
    path_of(name, path, sizeof(path));
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void remove_file(const char *name)
{
    char path[256];
    path_of(name, path, sizeof(path));
    (void)unlink(path);
}

static void set_up(void)
{
    char path[256];
    ck_assert_ptr_nonnull(mkdtemp(strcpy(root, "/tmp/batchd-host-XXXXXX")));
    (void)snprintf(path, sizeof(path), "%s/proc", root);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    path_of("pressure", path, sizeof(path));
    ck_assert_int_eq(mkdir(path, 0700), 0);
    put("stat", "cpu  100 20 30 400 50 1 2 3 99 0\ncpu0 1 2 3 4 5 6 7 8 9 0\nintr 12 0 1\n");
    put("loadavg", "1.25 0.50 0.10 2/345 6789\n");
    put("meminfo", "MemTotal:       2048 kB\nMemFree:         100 kB\nMemAvailable:   1024 kB\n"
                   "SwapCached:        0 kB\nSwapTotal:       512 kB\nSwapFree:        256 kB\n"
                   "Hugetlb:           8 kB\n");
    put("pressure/cpu", "some avg10=12.50 avg60=1.00 avg300=0.10 total=12345\n"
                        "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
    put("pressure/memory", "some avg10=3.00 avg60=1.00 avg300=0.10 total=1\n"
                           "full avg10=1.50 avg60=0.00 avg300=0.00 total=0\n");
    put("pressure/io", "some avg10=0.00 avg60=1.00 avg300=0.10 total=1\n"
                       "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
}

static void tear_down(void)
{
    char path[256];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        remove_file(names[i]);
    path_of("pressure", path, sizeof(path));
    (void)rmdir(path);
    (void)snprintf(path, sizeof(path), "%s/proc", root);
    (void)rmdir(path);
    (void)rmdir(root);
}

static bool near(double is, double wanted)
{
    return fabs(is - wanted) < 1e-9;
}

START_TEST(all_of_it)
{
    struct host_sample sample;
    host_sample_take(root, &sample);
    static const uint64_t ticks[CPU_CLASS_COUNT] = {100, 20, 30, 400, 50, 1, 2, 3};
    ck_assert(sample.cpu_known && sample.load_known && sample.memory_known);
    ck_assert_mem_eq(sample.cpu, ticks, sizeof(ticks));
    ck_assert(near(sample.load[0], 1.25) && near(sample.load[1], 0.5) && near(sample.load[2], 0.1));
    ck_assert_uint_eq(sample.memory_total_bytes, 2048 * 1024);
    ck_assert_uint_eq(sample.memory_available_bytes, 1024 * 1024);
    ck_assert_uint_eq(sample.memory_huge_bytes, 8 * 1024);
    ck_assert_uint_eq(sample.swap_total_bytes, 512 * 1024);
    ck_assert_uint_eq(sample.swap_free_bytes, 256 * 1024);
    ck_assert(sample.pressure[PRESSURE_CPU].known &&
              near(sample.pressure[PRESSURE_CPU].some, 12.5));
    ck_assert(near(sample.pressure[PRESSURE_MEMORY].some, 3) &&
              near(sample.pressure[PRESSURE_MEMORY].full, 1.5));
    ck_assert(sample.pressure[PRESSURE_IO].known && near(sample.pressure[PRESSURE_IO].some, 0));
}
END_TEST

/* An old kernel, a container, a folder without anything. */
START_TEST(what_is_not_there)
{
    struct host_sample sample;
    put("pressure/cpu", "some avg10=7.00 avg60=1.00 avg300=0.10 total=12345\n"); /* before 5.13 */
    put("meminfo", "MemTotal: 2048 kB\nMemAvailable: 1024 kB\n");
    host_sample_take(root, &sample);
    ck_assert(sample.pressure[PRESSURE_CPU].known && near(sample.pressure[PRESSURE_CPU].some, 7));
    ck_assert(sample.memory_known && sample.swap_total_bytes == 0 && sample.swap_free_bytes == 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        remove_file(names[i]);
    host_sample_take(root, &sample);
    ck_assert(!sample.cpu_known && !sample.load_known && !sample.memory_known);
    for (unsigned i = 0; i < PRESSURE_KIND_COUNT; i++)
        ck_assert(!sample.pressure[i].known);
    ck_assert_int_gt(sample.taken_at, 0);
}
END_TEST

static const struct {
    const char *text;
    uint64_t available_kibi;
} caches[] = {
    {"size                            4    409600\nc_min 4 102400\nc_max 4 819200\n", 1024 + 300},
    {"c 4 1\nc_min                           4    102400\nmru_size 4 999999\nsize 4 102399\n",
     1024},
    {"size 4 9999999999\nc_min 4 1\n", 2048}, /* no more than there is */
    {"size 4 409600\n", 1024},
    {"size 4 -409600\nc_min 4 0\n", 1024},
    {"", 1024},
};

START_TEST(the_cache_of_zfs_is_available)
{
    static const char *const folders[] = {"spl", "spl/kstat", "spl/kstat/zfs"};
    struct host_sample sample;
    char path[256];
    for (unsigned i = 0; i < 3; i++) {
        path_of(folders[i], path, sizeof(path));
        ck_assert_int_eq(mkdir(path, 0700), 0);
    }
    put("spl/kstat/zfs/arcstats", caches[_i].text);
    host_sample_take(root, &sample);
    ck_assert_uint_eq(sample.memory_available_bytes, caches[_i].available_kibi * 1024);
    remove_file("spl/kstat/zfs/arcstats");
    for (unsigned i = 3; i > 0; i--) {
        path_of(folders[i - 1], path, sizeof(path));
        ck_assert_int_eq(rmdir(path), 0);
    }
}
END_TEST

START_TEST(never_less_than_nothing)
{
    struct host_sample from = {.cpu_known = true}, to = {.cpu_known = true};
    double shares[CPU_CLASS_COUNT];
    double least = 0;
    for (uint64_t idle = 1; idle < 200; idle++) {
        to.cpu[CPU_IDLE] = idle;
        to.cpu[CPU_IOWAIT] = 200 - idle;
        ck_assert(host_sample_shares(&from, &to, shares));
        ck_assert(!(host_sample_busy(shares) < 0) && near(host_sample_busy(shares), 0));
        least = fmin(least, 1 - shares[CPU_IDLE] - shares[CPU_IOWAIT]);
    }
    ck_assert(least < 0); /* as one would work it out */
}
END_TEST

static const struct {
    const char *name, *text;
} garbage[] = {
    {"stat", ""},
    {"stat", "cpu"},
    {"stat", "cpu  1 2 3 4 5 6 7"},
    {"stat", "cpu  1 2 3 4 5 6 7 -8"},
    {"stat", "cpu  1 2 3 4 5 6 7 99999999999999999999999"},
    {"stat", "xcpu  1 2 3 4 5 6 7 8"},
    {"loadavg", "1.0 x 2.0"},
    {"loadavg", "nan nan nan"},
    {"loadavg", "1e999 1 1"},
    {"meminfo", "MemTotal: x kB\nMemAvailable: 1 kB\n"},
    {"meminfo", "MemTotal: 1 kB\n"},
    {"meminfo", "MemTotal: 18446744073709551615 kB\nMemAvailable: 1 kB\n"},
    {"pressure/cpu", "some avg10="},
    {"pressure/cpu", "some avg10=-3.00 avg60=0"},
    {"pressure/cpu", "some avg10=101.00 avg60=0"},
    {"pressure/cpu", "full avg10=1.00 avg60=0"},
};

START_TEST(what_is_no_number_is_unknown)
{
    struct host_sample sample;
    put(garbage[_i].name, garbage[_i].text);
    host_sample_take(root, &sample);
    const char *name = garbage[_i].name;
    ck_assert_int_eq(sample.cpu_known, strcmp(name, "stat") != 0);
    ck_assert_int_eq(sample.load_known, strcmp(name, "loadavg") != 0);
    ck_assert_int_eq(sample.memory_known, strcmp(name, "meminfo") != 0);
    ck_assert_int_eq(sample.pressure[PRESSURE_CPU].known, strcmp(name, "pressure/cpu") != 0);
    ck_assert(sample.pressure[PRESSURE_MEMORY].known);
}
END_TEST

START_TEST(shares_of_the_time_between)
{
    double shares[CPU_CLASS_COUNT];
    struct host_sample from, to;
    host_sample_take(root, &from);
    ck_assert(!host_sample_shares(&from, &from, shares));
    put("stat", "cpu  150 20 40 430 49 1 2 13\n"); /* iowait stepped back, as it may */
    host_sample_take(root, &to);
    ck_assert(host_sample_shares(&from, &to, shares));
    ck_assert(near(shares[CPU_USER], 0.5) && near(shares[CPU_SYSTEM], 0.1));
    ck_assert(near(shares[CPU_IDLE], 0.3) && near(shares[CPU_IOWAIT], 0));
    ck_assert(near(shares[CPU_STEAL], 0.1));
    ck_assert(!host_sample_shares(&to, &from, shares)); /* user went back */
    remove_file("stat");
    host_sample_take(root, &to);
    ck_assert(!host_sample_shares(&from, &to, shares));
}
END_TEST

START_TEST(this_machine)
{
    struct host_sample sample;
    host_sample_take("", &sample);
    ck_assert(sample.cpu_known && sample.load_known && sample.memory_known);
    ck_assert_uint_gt(sample.memory_total_bytes, sample.memory_available_bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("what the kernel says of the machine");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, all_of_it);
    tcase_add_test(all, what_is_not_there);
    tcase_add_loop_test(all, the_cache_of_zfs_is_available, 0,
                        (int)(sizeof(caches) / sizeof(caches[0])));
    tcase_add_test(all, never_less_than_nothing);
    tcase_add_loop_test(all, what_is_no_number_is_unknown, 0,
                        (int)(sizeof(garbage) / sizeof(garbage[0])));
    tcase_add_test(all, shares_of_the_time_between);
    tcase_add_test(all, this_machine);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
