/* Whether disks are shared out by weights, from a folder that stands for a machine. */
#include "daemon/resources/disk_weights.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char root[] = "/tmp/batchd-disks-XXXXXX";

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

static void disk(const char *name, const char *number, const char *schedulers, bool made_of_others)
{
    CLEANUP_FREE char *dev = xasprintf("sys/block/%s/dev", name);
    CLEANUP_FREE char *scheduler = xasprintf("sys/block/%s/queue/scheduler", name);
    CLEANUP_FREE char *device = xasprintf("sys/block/%s/device/model", name);
    put(dev, number);
    put(scheduler, schedulers);
    if (!made_of_others)
        put(device, "");
}

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(strcpy(root, "/tmp/batchd-disks-XXXXXX")));
}

static void tear_down(void)
{
    CLEANUP_FREE char *command = xasprintf("rm -rf '%s'", root);
    ck_assert_int_eq(system(command), 0); /* NOLINT: a path of our own */
}

static void ck_weights(const char *heed, const char *heedless, const char *first)
{
    struct disk_weights found;
    disk_weights_take(root, &found);
    ck_assert_str_eq(found.heed, heed);
    ck_assert_str_eq(found.heedless, heedless);
    ck_assert_str_eq(found.first, first);
}

START_TEST(schedulers)
{
    ck_weights("", "", "");
    disk("sdb", "8:16\n", "mq-deadline kyber [bfq] none\n", false);
    ck_weights("sdb", "", "");
    disk("nvme0n1", "259:0\n", "[none] mq-deadline \n", false);
    disk("sda", "8:0\n", "none [mq-deadline] kyber bfq \n", false);
    disk("sdc", "8:32\n", "none\n", false);
    disk("dm-0", "253:0\n", "none\n", true);
    ck_weights("sdb", "nvme0n1 (none) sda (mq-deadline) sdc (none)", "nvme0n1");
}
END_TEST

START_TEST(no_disk_for_jobs)
{
    disk("fd0", "2:0\n", "[mq-deadline] none\n", false);
    put("sys/block/fd0/removable", "1\n");
    disk("sda", "8:0\n", "[none]\n", false);
    put("sys/block/sda/removable", "0\n");
    put("sys/block/sda/size", "500118192\n");
    disk("sr0", "11:0\n", "[mq-deadline] none\n", false);
    put("sys/block/sr0/removable", "1\n");
    disk("sdb", "8:16\n", "[mq-deadline] none\n", false);
    put("sys/block/sdb/size", "0\n");
    ck_weights("", "sda (none)", "sda");
}
END_TEST

START_TEST(iocost)
{
    disk("nvme0n1", "259:0\n", "[none] mq-deadline \n", false);
    disk("sda", "8:0\n", "[none]\n", false);
    disk("sdb", "8:16\n", "[none]\n", false);
    put("sys/fs/cgroup/io.cost.qos",
        "8:0 enable=0 ctrl=auto rpct=0.00\n8:160 enable=1 ctrl=auto\n259:0 enable=1 ctrl=user\n");
    ck_weights("nvme0n1", "sda (none) sdb (none)", "sda");
}
END_TEST

START_TEST(more_than_there_is_room_for)
{
    struct disk_weights found;
    char name[] = "a-disk-with-a-rather-long-name-0";
    for (; name[sizeof(name) - 2] <= '9'; name[sizeof(name) - 2]++)
        disk(name, "8:0\n", "[none]\n", false);
    disk_weights_take(root, &found);
    ck_assert_uint_eq(strlen(found.heedless), sizeof(found.heedless) - 1);
    ck_assert_str_eq(found.first, "a-disk-with-a-rather-long-name-");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("disk_weights");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, schedulers);
    tcase_add_test(all, no_disk_for_jobs);
    tcase_add_test(all, iocost);
    tcase_add_test(all, more_than_there_is_room_for);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
