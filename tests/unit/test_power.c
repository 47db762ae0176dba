/* Batteries, and the memory of processes, from folders that stand for a machine. */
#include "daemon/resources/power.h"
#include "daemon/resources/process_memory.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

static char root[] = "/tmp/batchd-power-XXXXXX";

/* With the folders on the way. */
static void put(const char *name, const char *text)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void supply(const char *name, const char *file, const char *text)
{
    CLEANUP_FREE char *path = xasprintf("sys/class/power_supply/%s/%s", name, file);
    put(path, text);
}

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(strcpy(root, "/tmp/batchd-power-XXXXXX")));
}

static void tear_down(void)
{
    CLEANUP_FREE char *command = xasprintf("rm -rf '%s'", root);
    ck_assert_int_eq(system(command), 0); /* NOLINT: a path of our own */
}

static struct power take(void)
{
    struct power power;
    power_take(root, &power);
    return power;
}

static void put_battery(const char *name, const char *status, const char *percent)
{
    supply(name, "type", "Battery\n");
    supply(name, "status", status);
    supply(name, "capacity", percent);
}

START_TEST(a_laptop)
{
    ck_assert(!take().known);
    supply("AC", "type", "Mains\n");
    supply("AC", "online", "0\n");
    ck_assert(!take().known);
    put_battery("BAT0", "Discharging\n", "42\n");
    ck_assert(take().known && take().on_battery && take().percent == 42);
    put_battery("BAT1", "Unknown\n", "100\n"); /* it waits for its turn */
    ck_assert(take().on_battery && take().percent == 71);
    supply("AC", "online", "1\n"); /* too weak to charge: nothing is to be saved */
    ck_assert(take().known && !take().on_battery);
    supply("AC", "online", "0\n");
    supply("usb", "type", "USB\n");
    supply("usb", "online", "1\n");
    ck_assert(!take().on_battery);
    supply("usb", "online", "0\n");
    put_battery("BAT0", "Full\n", "100\n");
    ck_assert(take().known && !take().on_battery);
}
END_TEST

START_TEST(batteries_that_are_none)
{
    put_battery("hidpp_battery_0", "Discharging\n", "5\n");
    supply("hidpp_battery_0", "scope", "Device\n");
    put_battery("BAT1", "Discharging\n", "5\n");
    supply("BAT1", "present", "0\n");
    put_battery("BAT2", "Discharging\n", "x\n");
    put_battery("BAT3", "Discharging\n", "101\n");
    supply("BAT4", "type", "Battery\n");
    ck_assert(!take().known && !take().on_battery);
}
END_TEST

static uint64_t below(uint32_t pid, uint32_t looks, enum memory_seen *ret)
{
    uint64_t bytes;
    *ret = process_memory_below(root, pid, &looks, &bytes);
    return bytes / (uint64_t)sysconf(_SC_PAGESIZE);
}

/* 10 has the threads 10 and 11, whose children are 20 and 30; 30 has 40. */
START_TEST(all_that_descend)
{
    enum memory_seen seen;
    put("proc/10/task/10/children", "20 ");
    put("proc/10/task/11/children", "30 ");
    put("proc/10/statm", "9000 9000 0 0 0 0 0\n");
    put("proc/20/task/20/children", "");
    put("proc/20/statm", "5000 300 200 0 0 0 0\n");
    put("proc/30/task/30/children", "40 50 "); /* 50 has ended */
    put("proc/30/statm", "5000 10 0 0 0 0 0\n");
    put("proc/40/statm", "5000 1 7 0 0 0 0\n");
    ck_assert_uint_eq(below(10, 100, &seen), 110);
    ck_assert_int_eq(seen, MEMORY_ALL);
    ck_assert_uint_eq(below(20, 100, &seen), 0);
    ck_assert_uint_le(below(10, 3, &seen), 110);
    ck_assert_int_eq(seen, MEMORY_PART);
    put("proc/20/statm", "x");
    put("proc/30/task/30/children", "-1 x 40");
    ck_assert_uint_eq(below(10, 100, &seen), 10);
    ck_assert_uint_eq(below(99, 100, &seen), 0);
    ck_assert_int_eq(seen, MEMORY_HIDDEN);
}
END_TEST

/* Of the system's daemon: below the unit beside its own. */
START_TEST(of_a_group)
{
    uint64_t bytes = 1;
    ck_assert_int_eq(process_memory_of_group(root, 7, &bytes), MEMORY_HIDDEN);
    put("proc/self/cgroup", "0::/system.slice/batchd.service\n");
    ck_assert_int_eq(process_memory_of_group(root, 7, &bytes), MEMORY_HIDDEN);
    put("sys/fs/cgroup/system.slice/batchd-jobs.service/worker-7/job/memory.stat",
        "anon 4096\nfile 77\nanon_thp 5\nshmem 100\nfile_mapped 1\n");
    ck_assert_int_eq(process_memory_of_group(root, 7, &bytes), MEMORY_ALL);
    ck_assert_uint_eq(bytes, 4196);
    ck_assert_int_eq(process_memory_of_group(root, 8, &bytes), MEMORY_HIDDEN);
    ck_assert_uint_eq(bytes, 0);
    put("proc/self/cgroup", "12:cpu:/x\n0::/system.slice/batchd.service\n"); /* hybrid: no memory */
    ck_assert_int_eq(process_memory_of_group(root, 7, &bytes), MEMORY_HIDDEN);
    put("proc/self/cgroup", "0::/\n");
    ck_assert_int_eq(process_memory_of_group(root, 7, &bytes), MEMORY_HIDDEN);
}
END_TEST

/* One of this machine that has 32 MiB of its own, as the child of a child. */
START_TEST(real_ones)
{
    int ready[2], end[2];
    char byte;
    ck_assert(pipe(ready) == 0 && pipe(end) == 0); /* NOLINT: the children are to have them */
    const pid_t child = fork();
    if (child == 0) {
        const pid_t grandchild = fork();
        if (grandchild == 0) {
            char *memory =
                mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            memset(memory, 1, 32 * MIB);
            const bool told = write(ready[1], "x", 1) == 1 && read(end[0], &byte, 1) == 1;
            _exit(told && memory[5] == 1 ? 0 : 1);
        }
        (void)waitpid(grandchild, NULL, 0);
        _exit(0);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    uint32_t looks = 1000;
    uint64_t bytes = 0;
    ck_assert_int_eq(process_memory_below("", (uint32_t)getpid(), &looks, &bytes), MEMORY_ALL);
    ck_assert_int_eq(write(end[1], "x", 1), 1);
    (void)waitpid(child, NULL, 0);
    ck_assert_uint_ge(bytes, 32 * MIB);
    ck_assert_uint_lt(bytes, 100 * MIB);
    ck_assert_uint_gt(looks, 900);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("power, and memory of processes");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, a_laptop);
    tcase_add_test(all, batteries_that_are_none);
    tcase_add_test(all, all_that_descend);
    tcase_add_test(all, of_a_group);
    tcase_add_test(all, real_ones);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
