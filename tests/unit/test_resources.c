/* Names of resources, indices of GPUs, the GPUs that a tree of files shows, and requests in the
 * store. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "daemon/core/gpus.h"
#include "daemon/core/job_kind.h"
#include "daemon/core/job_request.h"
#include "daemon/resources/gpu_devices.h"
#include "daemon/store/job_rows.h"
#include "daemon/store/usage_rows.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- names ---- */

START_TEST(names_of_counters)
{
    static const char *const good[] = {"licence", "a", "tape-2", "a_b",
                                       "abcdefghijklmnopqrstuvwxyz012345"};
    static const char *const bad[] = {
        "",     "Licence", "2tape",  "a b",          "-a", "cpu",
        "gpus", "disk",    "memroy", "memory_bytes", "ä",  "abcdefghijklmnopqrstuvwxyz0123456"};
    struct error err;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert_msg(resource_name_check(good[i], &err) == 0, "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(resource_name_check(bad[i], &err) < 0, "%s", bad[i]);
    ck_assert_int_lt(resource_name_check("memroy", &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "did you mean \"memory\""));
}
END_TEST

START_TEST(kinds_differ_by_queue_or_any_amount)
{
    const struct job_kind kind = {.queue = 1, .asked = {.amount = {1, 2, 3}}};
    struct job_kind other = kind;
    ck_assert(job_kind_equal(&kind, &other));
    other.queue = 2;
    ck_assert(!job_kind_equal(&kind, &other));
    for (unsigned i = 0; i < RESOURCE_KINDS; i++) {
        other = kind;
        other.asked.amount[i]++;
        ck_assert(!job_kind_equal(&kind, &other));
    }
}
END_TEST

START_TEST(there_is_room_for_so_many)
{
    struct resource_names names = {.count = 0};
    char name[] = "a";
    for (unsigned i = 0; i < RESOURCE_COUNTERS_MAX; i++, name[0]++)
        ck_assert_int_eq(resource_names_add(&names, name), RESOURCE_COUNTER + (int)i);
    ck_assert_int_eq(resource_names_add(&names, name), -1);
    ck_assert_int_eq(resource_names_add(&names, "a"), RESOURCE_COUNTER);
    ck_assert_int_eq(resource_names_find(&names, "k"), RESOURCE_REMOVED - 1);
    ck_assert_int_eq(resource_names_find(&names, "gpus"), RESOURCE_GPUS);
    ck_assert_int_eq(resource_names_find(&names, "zz"), -1);
}
END_TEST

/* A text says the same to a machine that names its counters in another order, or fewer of them. */
START_TEST(counters_as_a_text)
{
    struct resource_names names = {.count = 0};
    struct resource_names others = {.count = 0};
    struct resources wanted = {.amount = {[RESOURCE_CPUS] = 7}};
    struct resources read = {.amount = {0}};
    CLEANUP_FREE char *none = resource_counters_text(&names, &wanted);
    ck_assert_ptr_null(none);
    wanted.amount[resource_names_add(&names, "tape")] = 1;
    wanted.amount[resource_names_add(&names, "licence")] = RESOURCE_COUNTER_LIMIT;
    (void)resource_names_add(&names, "idle");
    (void)resource_names_add(&others, "licence");
    CLEANUP_FREE char *text = resource_counters_text(&names, &wanted);
    ck_assert_str_eq(text, "licence=1000000000000,tape=1");
    resource_counters_add(&names, text, &read);
    wanted.amount[RESOURCE_CPUS] = 0;
    ck_assert_mem_eq(&read, &wanted, sizeof(read));
    read = (struct resources){.amount = {0}};
    resource_counters_add(&others, text, &read);
    ck_assert_uint_eq(read.amount[RESOURCE_COUNTER], RESOURCE_COUNTER_LIMIT);
    ck_assert_uint_eq(read.amount[RESOURCE_REMOVED], 1);
    /* A fixed kind's name in a text is no counter's: it cannot come from a submit. */
    resource_counters_add(&others, "cpus=3", &read);
    ck_assert_uint_eq(read.amount[RESOURCE_CPUS], 0);
    ck_assert_uint_eq(read.amount[RESOURCE_REMOVED], 4);
    CLEANUP_FREE char *list = resource_names_list(&names);
    ck_assert_str_eq(list, "tape, licence, idle");
}
END_TEST

/* ---- indices ---- */

START_TEST(lowest_free_gpus)
{
    char text[GPUS_TEXT_BYTES];
    ck_assert_uint_eq(gpus_lowest_free(0, 2, 4), 3);
    ck_assert_uint_eq(gpus_lowest_free(5, 2, 4), 10);
    ck_assert_uint_eq(gpus_lowest_free(5, 3, 4), 10); /* no more than there are */
    ck_assert_uint_eq(gpus_lowest_free(0, 64, 64), UINT64_MAX);
    ck_assert_uint_eq(gpus_lowest_free(UINT64_MAX >> 1U, 1, 64), UINT64_C(1) << 63U);
    gpus_format(0, text);
    ck_assert_str_eq(text, "");
    gpus_format(UINT64_C(1) << 63U | 0x405U, text);
    ck_assert_str_eq(text, "0,2,10,63");
    gpus_format(UINT64_MAX, text);
    ck_assert_ptr_nonnull(strstr(text, ",62,63"));
}
END_TEST

/* Random takes and returns: no index twice, the lowest first, all back at the end. */
START_TEST(nobody_has_anothers_gpu)
{
    enum { HOLDERS = 20, STEPS = 100000 };
    uint64_t held[HOLDERS] = {0};
    uint64_t used = 0;
    const uint64_t total = 9;
    srand(7);
    for (int i = 0; i < STEPS; i++) {
        uint64_t *mine = &held[rand() % HOLDERS];
        uint64_t wanted = 1 + (uint64_t)(rand() % 4);
        uint64_t left = total - (uint64_t)__builtin_popcountll(used);
        if (*mine != 0) {
            ck_assert_uint_eq(used & *mine, *mine);
            used &= ~*mine;
            *mine = 0;
        } else if (wanted <= left) {
            *mine = gpus_lowest_free(used, wanted, total);
            ck_assert_uint_eq(*mine & used, 0);
            ck_assert_int_eq(__builtin_popcountll(*mine), (int)wanted);
            ck_assert_uint_eq(*mine >> total, 0);
            uint64_t below = (*mine & -*mine) - 1; /* all below the first are taken */
            ck_assert_uint_eq(used & below, below);
            used |= *mine;
        }
    }
    for (int i = 0; i < HOLDERS; i++)
        used ^= held[i];
    ck_assert_uint_eq(used, 0);
}
END_TEST

/* ---- devices ---- */

static char root[] = "/tmp/test_resources-XXXXXX";

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static void make_root(void)
{
    (void)snprintf(root, sizeof(root), "/tmp/test_resources-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_root(void)
{
    (void)nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A file with its folders. */
static void put(const char *path, const char *text)
{
    CLEANUP_FREE char *whole = xasprintf("%s%s", root, path);
    for (char *slash = strchr(whole + sizeof(root), '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(whole, 0700);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    ck_assert_ptr_nonnull(file);
    (void)fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(no_gpus)
{
    enum gpu_vendor vendor = GPU_INTEL;
    put("/dev/nvidiactl", "");
    put("/dev/nvidia-uvm", "");
    put("/sys/class/drm/card0/device/vendor", "0x8086\n");
    put("/sys/class/kfd/kfd/topology/nodes/0/gpu_id", "0\n");
    ck_assert_uint_eq(gpu_devices_count(root, &vendor), 0);
    ck_assert_int_eq(vendor, GPU_VENDOR_COUNT);
}
END_TEST

START_TEST(gpus_of_nvidia)
{
    enum gpu_vendor vendor = GPU_INTEL;
    put("/dev/nvidia0", "");
    put("/dev/nvidia1", "");
    put("/dev/nvidia10", "");
    put("/dev/nvidiactl", "");
    put("/sys/class/drm/card0/device/vendor", "0x1002\n");
    ck_assert_uint_eq(gpu_devices_count(root, &vendor), 3);
    put("/proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: a\n");
    put("/proc/driver/nvidia/gpus/0000:81:00.0/information", "Model: b\n");
    ck_assert_uint_eq(gpu_devices_count(root, &vendor), 2);
    ck_assert_int_eq(vendor, GPU_NVIDIA);
}
END_TEST

START_TEST(gpus_of_amd)
{
    enum gpu_vendor vendor = GPU_INTEL;
    put("/sys/class/drm/card0/device/vendor", "0x1002\n");
    put("/sys/class/drm/card1/device/vendor", "0x8086\n");
    put("/sys/class/drm/renderD128/device/vendor", "0x1002\n");
    ck_assert_uint_eq(gpu_devices_count(root, &vendor), 1);
    put("/sys/class/kfd/kfd/topology/nodes/0/gpu_id", "0\n");
    put("/sys/class/kfd/kfd/topology/nodes/1/gpu_id", "51140\n");
    put("/sys/class/kfd/kfd/topology/nodes/2/gpu_id", "3212\n");
    ck_assert_uint_eq(gpu_devices_count(root, &vendor), 2);
    ck_assert_int_eq(vendor, GPU_AMD);
}
END_TEST

/* ---- rows ---- */

static void count_gpus(void *arg, const struct use *use)
{
    uint64_t *sum = arg;
    ck_assert_uint_eq(use->held.amount[RESOURCE_CPUS], 3);
    *sum += use->held.amount[RESOURCE_GPUS];
}

static int see_open(void *arg, const struct job_open *open)
{
    const struct resource_names *names = arg;
    const struct resources wanted = job_facts_wanted(open->facts, names);
    ck_assert_uint_eq(wanted.amount[RESOURCE_CPUS], 3);
    ck_assert_uint_eq(wanted.amount[RESOURCE_GPUS], 2);
    ck_assert_uint_eq(wanted.amount[RESOURCE_DISK], 1U << 20U);
    ck_assert_uint_eq(wanted.amount[RESOURCE_COUNTER], 4);
    ck_assert_uint_eq(wanted.amount[RESOURCE_REMOVED], 1);
    ck_assert_uint_eq(open->status->gpu_set, UINT64_C(1) << 63U | 1);
    return 0;
}

/* What was asked for is read back for the queue, and what was held for fair share. */
START_TEST(requests_in_the_store)
{
    const struct db_options options = {.cache_bytes = 1U << 20U, .wal_limit_bytes = 1U << 20U};
    CLEANUP_FREE char *path = xasprintf("%s/batchd.db", root);
    struct resource_names names = {.count = 0};
    char name[] = "job", queue[] = "default", counters[] = "licence=4,tape=1";
    uint8_t run[] = {1};
    struct job_facts facts = {.uid = 5,
                              .cpus = 3,
                              .gpus = 2,
                              .disk_bytes = 9,
                              .counters = counters,
                              .name = name,
                              .queue = queue,
                              .run = run,
                              .run_bytes = 1,
                              .submitted_at = 1};
    struct error err;
    uint64_t gpus = 0;
    struct db *db = db_open(path, &options, &err);
    (void)resource_names_add(&names, "licence");
    retry_rule_resolve(&facts.retry, &(struct retry_layers){NULL, NULL, NULL});
    ck_assert_int_eq(job_rows_insert(db, &facts, &err), 0);
    struct job_status status = {.id = facts.id,
                                .state = JOB_STATE_RUNNING,
                                .attempt = 1,
                                .gpu_set = UINT64_C(1) << 63U | 1,
                                .started_at = 100};
    ck_assert_int_eq(job_rows_update(db, &status, &err), 0);
    ck_assert_int_eq(job_rows_each_open(db, see_open, &names, &err), 0);
    status.state = JOB_STATE_COMPLETED;
    status.ended_at = 200;
    ck_assert_int_eq(job_rows_update(db, &status, &err), 0);
    ck_assert_int_eq(usage_rows_each(db, 0, count_gpus, &gpus, &err), 0);
    ck_assert_uint_eq(gpus, 2);
    ck_assert_int_eq(job_rows_check(db, &err), 0);
    ck_assert_int_eq(db_commit(db, &err), 0);
    db_close(db);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resources");
    TCase *plain = tcase_create("names and indices");
    TCase *trees = tcase_create("devices");
    tcase_add_test(plain, names_of_counters);
    tcase_add_test(plain, kinds_differ_by_queue_or_any_amount);
    tcase_add_test(plain, there_is_room_for_so_many);
    tcase_add_test(plain, counters_as_a_text);
    tcase_add_test(plain, lowest_free_gpus);
    tcase_add_test(plain, nobody_has_anothers_gpu);
    suite_add_tcase(suite, plain);
    tcase_add_checked_fixture(trees, make_root, remove_root);
    tcase_add_test(trees, no_gpus);
    tcase_add_test(trees, gpus_of_nvidia);
    tcase_add_test(trees, gpus_of_amd);
    tcase_add_test(trees, requests_in_the_store);
    suite_add_tcase(suite, trees);
    return suite_run(suite);
}
