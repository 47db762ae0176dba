/* What drivers tell of the clients of a GPU, and how busy those kept it between two looks. */
#include "common/gpu_report.h"
#include "gpu/drm_load.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHO "drm-pdev:\t0000:43:00.0\ndrm-client-id:\t7\n"
#define SECOND INT64_C(1000000)

static struct drm_client parsed(const char *text)
{
    struct drm_client client;
    ck_assert(drm_client_parse(text, &client));
    return client;
}

/* ---- memory ---- */

static void is_of_memory(const char *lines, uint64_t bytes)
{
    char text[1024];
    (void)snprintf(text, sizeof(text), WHO "%s", lines);
    ck_assert_msg(parsed(text).memory_bytes == bytes, "%s: %llu, not %llu", lines,
                  (unsigned long long)parsed(text).memory_bytes, (unsigned long long)bytes);
}

START_TEST(test_memory)
{
    is_of_memory("", GPU_UNKNOWN);
    is_of_memory("drm-resident-vram: 12", 12);
    is_of_memory("drm-resident-vram:\t12 KiB \r\n", 12 << 10);
    is_of_memory("drm-memory-vram: 3 MiB\ndrm-memory-gtt: 9 MiB\n", 3 << 20);
    is_of_memory("drm-total-vram: 9\ndrm-resident-vram: 3\ndrm-memory-vram: 5\n", 3);
    is_of_memory("drm-total-vram: 9\ndrm-memory-vram: 5\n", 5);
    is_of_memory("drm-total-vram: 9\n", 9);
    is_of_memory("drm-resident-vram0: 3\ndrm-resident-vram1: 4\ndrm-resident-system: 90\n", 7);
    is_of_memory("drm-resident-local0: 0\ndrm-resident-system0: 90\n", 0);
    is_of_memory("drm-resident-system: 3\ndrm-resident-gtt: 4\ndrm-resident-stolen: 9\n", 7);
    is_of_memory("drm-resident-vram: 3 GiB\n", GPU_UNKNOWN);
    is_of_memory("drm-resident-vram: 3 ns\n", GPU_UNKNOWN);
    is_of_memory("drm-resident-vram: -3\n", GPU_UNKNOWN);
    is_of_memory("drm-resident-vram: 9223372036854775807 KiB\n", GPU_UNKNOWN);
    is_of_memory("drm-resident-vram: 99999999999999999999\n", GPU_UNKNOWN);
    is_of_memory("drm-resident-vram0: 9223372036854775807\ndrm-resident-vram1: 1\n", INT64_MAX);
    is_of_memory("drm-shared-vram: 5\ndrm-purgeable-vram: 5\namd-evicted-vram: 5\n", GPU_UNKNOWN);
}
END_TEST

/* ---- load ---- */

static struct drm_seen seen[2][2];
static struct drm_look looks[2] = {{.seen = seen[0]}, {.seen = seen[1]}};

static void show(unsigned look, size_t at, uint64_t pid, const char *lines)
{
    char text[1024];
    (void)snprintf(text, sizeof(text), "drm-pdev: 0000:43:00.0\ndrm-client-id: %zu\n%s", at, lines);
    seen[look][at] = (struct drm_seen){.client = parsed(text), .pid = pid, .at_us = look * SECOND};
    looks[look].count = at + 1;
}

static uint64_t load(uint64_t pid)
{
    return drm_load(&looks[0], &looks[1], "0000:43:00.0", pid);
}

static void two(const char *before, const char *now)
{
    show(0, 0, 11, before);
    show(1, 0, 11, now);
}

START_TEST(test_load_by_time)
{
    two("drm-engine-gfx: 100 ns\n", "drm-engine-gfx: 250000100 ns\n");
    ck_assert_uint_eq(load(11), 25);
    ck_assert_uint_eq(load(GPU_UNKNOWN), 25);
    ck_assert_uint_eq(load(12), GPU_UNKNOWN);
    ck_assert_uint_eq(drm_load(&looks[0], &looks[1], "0000:44:00.0", 11), GPU_UNKNOWN);
    two("drm-engine-v: 0 ns\n", "drm-engine-capacity-v: 2\ndrm-engine-v: 1000000000 ns\n");
    ck_assert_uint_eq(load(11), 50);
    two("drm-engine-v: 0 ns\n", "drm-engine-v: 9000000000 ns\n");
    ck_assert_uint_eq(load(11), 100);
    two("drm-engine-v: 5 ns\n", "drm-engine-v: 4 ns\n");
    ck_assert_uint_eq(load(11), 0);
    two("drm-engine-v: 5 ns\n", "drm-engine-w: 900000000 ns\n");
    ck_assert_uint_eq(load(11), GPU_UNKNOWN);
    two("", "");
    ck_assert_uint_eq(load(11), GPU_UNKNOWN);
}
END_TEST

START_TEST(test_load_by_cycles)
{
    two("drm-cycles-rcs: 10\ndrm-total-cycles-rcs: 100\n",
        "drm-cycles-rcs: 40\ndrm-total-cycles-rcs: 200\n");
    ck_assert_uint_eq(load(11), 30);
    two("drm-cycles-rcs: 10\ndrm-total-cycles-rcs: 100\n",
        "drm-cycles-rcs: 40\ndrm-total-cycles-rcs: 100\n");
    ck_assert_uint_eq(load(11), 0);
    two("drm-cycles-rcs: 10\n", "drm-cycles-rcs: 40\n");
    ck_assert_uint_eq(load(11), 0);
}
END_TEST

/* The busiest engine, of what all its clients had of it. */
START_TEST(test_load_of_several)
{
    const char *one = "drm-engine-gfx: 300000000 ns\ndrm-engine-dec: 100000000 ns\n";
    const char *other = "drm-engine-gfx: 100000000 ns\ndrm-engine-dec: 450000000 ns\n";
    const char *none = "drm-engine-gfx: 0 ns\ndrm-engine-dec: 0 ns\n";
    two(none, one);
    show(0, 1, 12, none);
    show(1, 1, 12, other);
    ck_assert_uint_eq(load(11), 30);
    ck_assert_uint_eq(load(12), 45);
    ck_assert_uint_eq(load(GPU_UNKNOWN), 55);
    looks[0].count = 1; /* the second has come since */
    ck_assert_uint_eq(load(12), GPU_UNKNOWN);
    ck_assert_uint_eq(load(GPU_UNKNOWN), 30);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("drm client");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_memory);
    tcase_add_test(tests, test_load_by_time);
    tcase_add_test(tests, test_load_by_cycles);
    tcase_add_test(tests, test_load_of_several);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
