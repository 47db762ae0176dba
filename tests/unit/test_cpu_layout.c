/* Lists of processors as text, what the kernel's files say of them, and which a job is bound to. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "daemon/core/cpu_layout.h"
#include "daemon/resources/cpu_topology.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct cpu_list list_of(const char *text)
{
    struct cpu_list list;
    struct error err;
    ck_assert_msg(cpu_list_parse(text, &list, &err) == 0, "%s", text);
    return list;
}

static void ck_list(const struct cpu_list *list, const char *expected)
{
    char text[CPU_LIST_TEXT_BYTES];
    cpu_list_format(list, text);
    ck_assert_str_eq(text, expected);
}

START_TEST(texts)
{
    static const char *const same[] = {"", "0", "0-1,3", "5,7-9,1023", "0-1023"};
    static const char *const wrong[] = {",", "1,", "a", "3-1", "1-", "-1", "1,,2", "1 2", "1;2"};
    struct cpu_list list = {.bits = {0}};
    struct error err;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        list = list_of(same[i]);
        ck_list(&list, same[i]);
    }
    list = list_of("1,0,2-3\n");
    ck_list(&list, "0-3");
    ck_assert_uint_eq(cpu_list_count(&list), 4);
    list = list_of("1022-4000000000,99999");
    ck_list(&list, "1022-1023");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_msg(cpu_list_parse(wrong[i], &list, &err) == -1, "\"%s\"", wrong[i]);
    ck_list(&list, "1022-1023"); /* it stays */
}
END_TEST

START_TEST(the_longest_text)
{
    struct cpu_list pairs = {.bits = {0}};
    char text[CPU_LIST_TEXT_BYTES];
    for (unsigned i = 0; i < CPU_LIST_MAX; i++) {
        if (i % 3 != 2)
            cpu_list_add(&pairs, i);
    }
    cpu_list_format(&pairs, text);
    const struct cpu_list again = list_of(text);
    ck_assert_mem_eq(&again, &pairs, sizeof(pairs));
}
END_TEST

/* Two nodes of four cores with two threads each: core N has the processors N and N + 8. */
static struct cpu_layout two_nodes(void)
{
    struct cpu_layout layout = {.usable = list_of("0-15")};
    for (unsigned i = 0; i < CPU_LIST_MAX; i++)
        layout.core[i] = (uint16_t)i;
    for (unsigned i = 0; i < 16; i++) {
        layout.core[i] = i % 8;
        layout.node[i] = i % 8 / 4;
    }
    return layout;
}

static const struct choice {
    const char *taken, *near;
    uint32_t count;
    const char *expected;
} choices[] = {
    {"", "", 1, "0"},
    {"0", "", 1, "1"},           /* a core that nobody has, not the other thread */
    {"0-7", "", 1, "8"},         /* there is no other */
    {"", "", 2, "0,8"},          /* a whole core */
    {"", "", 3, "0-1,8"},        /* and one more */
    {"0", "", 2, "1,9"},         /* of the node that is begun, where it has a core of its own */
    {"0-3", "", 1, "4"},         /* not beside others while a core is idle */
    {"0-3", "", 4, "4-5,12-13"}, /* the same */
    {"0-3", "", 9, "4-8,12-15"}, /* more than a node has: the emptier first, and of the other */
    {"0-1,8-9", "", 4, "2-3,10-11"},
    {"0-1,8-9", "", 5, "4-6,12-13"},           /* from one node alone */
    {"", "4-7,12-15", 2, "4,12"},              /* near the GPU */
    {"4-7", "4-7,12-15", 1, "12"},             /* also beside others */
    {"4-6,12-14", "4-7,12-15", 4, "0,7-8,15"}, /* as many as there are, then elsewhere */
    {"4-7,12-15", "4-7,12-15", 2, "0,8"},
    {"0-1,8-9", "0-15", 6, "4-6,12-14"},      /* on no node: from one, as without a GPU */
    {"4-5,12-13", "0-15", 4, "6-7,14-15"},    /* the fuller one */
    {"0-1,8-9", "2-7,10-15", 5, "4-6,12-13"}, /* two GPUs on two nodes */
    {"4-7", "0,4-5,8,12-13", 3, "0,8,12"},    /* near to it first, however it lies */
    {"", "", 16, "0-15"},
    {"0-14", "", 1, "15"},
    {"0-14", "", 2, "15"}, /* fewer */
    {"0-15", "", 1, ""},
};

START_TEST(which_it_gets)
{
    const struct choice *choice = &choices[_i];
    const struct cpu_layout layout = two_nodes();
    const struct cpu_list taken = list_of(choice->taken);
    const struct cpu_list near = list_of(choice->near);
    struct cpu_list got;
    cpu_layout_choose(&layout, &taken, &near, choice->count, &got);
    ck_list(&got, choice->expected);
}
END_TEST

/* Whatever is free: so many, free, usable, each once; and on one node where that can be. */
START_TEST(never_what_is_taken)
{
    const struct cpu_layout layout = two_nodes();
    for (unsigned step = 0; step < 3000; step++) {
        struct cpu_list taken = {.bits = {(uint64_t)rand() & 0xffff}};
        static const uint64_t nears[] = {0, 0xffff}; /* of none, and of a device on no node */
        const struct cpu_list near = {
            .bits = {rand() % 2 ? nears[rand() % 2] : (uint64_t)rand() & 0xffff}};
        const uint32_t count = (uint32_t)rand() % 17;
        const uint32_t left = 16 - cpu_list_count(&taken);
        struct cpu_list got;
        cpu_layout_choose(&layout, &taken, &near, count, &got);
        ck_assert_uint_eq(cpu_list_count(&got), count < left ? count : left);
        ck_assert_uint_eq(got.bits[0] & (taken.bits[0] | ~UINT64_C(0xffff)), 0);
        const uint64_t node = UINT64_C(0x0f0f);
        const bool one = (uint32_t)__builtin_popcountll(~taken.bits[0] & node) >= count ||
                         (uint32_t)__builtin_popcountll(~taken.bits[0] & node << 4U) >= count;
        if (one && (near.bits[0] == 0 || near.bits[0] == 0xffff))
            ck_assert((got.bits[0] & node) == 0 || (got.bits[0] & node << 4U) == 0);
    }
}
END_TEST

/* ---- the kernel's files ---- */

static char root[] = "/tmp/batchd-cpus-XXXXXX";

static void write_file(const char *name, const char *text)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", root, name);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
}

/* Those that we may use here are no others than the machine's. */
START_TEST(without_files_each_is_a_core)
{
    struct cpu_layout layout, mine;
    cpu_topology_read(root, &layout);
    cpu_topology_read("", &mine);
    ck_assert(!cpu_list_is_empty(&layout.usable));
    cpu_list_leave(&mine.usable, &layout.usable);
    ck_list(&mine.usable, "");
    for (unsigned i = 0; i < CPU_LIST_MAX; i++)
        ck_assert(layout.core[i] == i && layout.node[i] == 0);
}
END_TEST

START_TEST(what_the_files_say)
{
    struct cpu_layout before, layout;
    struct cpu_list near = list_of("9");
    cpu_topology_read(root, &before);
    write_file("sys/devices/system/cpu/online", "0,5\n");
    write_file("sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0,5\n");
    write_file("sys/devices/system/cpu/cpu5/topology/thread_siblings_list", "0,5\n");
    write_file("sys/devices/system/node/online", "0,2\n");
    write_file("sys/devices/system/node/node0/cpulist", "1-5\n");
    write_file("sys/devices/system/node/node2/cpulist", "0\n");
    write_file("sys/bus/pci/devices/0000:65:00.0/local_cpulist", "0,2-3\n");
    write_file("sys/bus/pci/devices/0000:66:00.0/local_cpulist", "garbage\n");
    cpu_topology_read(root, &layout);
    const struct cpu_list online = list_of("0,5");
    cpu_list_keep(&before.usable, &online);
    ck_assert_mem_eq(&before.usable, &layout.usable, sizeof(online));
    ck_assert(layout.node[0] == 2 && layout.node[1] == 0 && layout.node[5] == 0);
    cpu_topology_add_near(root, "0000:65:00.0", &near);
    cpu_topology_add_near(root, "0000:66:00.0", &near);
    cpu_topology_add_near(root, "0000:67:00.0", &near);
    ck_list(&near, "0,2-3,9");
}
END_TEST

/* Of those that we may use here, whichever these are. */
START_TEST(which_are_threads_of_one_core)
{
    struct cpu_layout layout;
    struct cpu_list threads = {.bits = {0}};
    unsigned number[2] = {0, 0}, count = 0;
    char text[CPU_LIST_TEXT_BYTES];
    cpu_topology_read("", &layout);
    for (unsigned i = 0; i < CPU_LIST_MAX && count < 2; i++) {
        if (cpu_list_has(&layout.usable, i)) {
            number[count++] = i;
            cpu_list_add(&threads, i);
        }
    }
    if (count < 2)
        return; /* there is one processor */
    cpu_list_format(&threads, text);
    for (unsigned i = 0; i < 2; i++) {
        CLEANUP_FREE char *name =
            xasprintf("sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", number[i]);
        write_file(name, text);
    }
    write_file("sys/devices/system/cpu/online", text);
    cpu_topology_read(root, &layout);
    ck_assert_mem_eq(&layout.usable, &threads, sizeof(threads));
    ck_assert_uint_eq(layout.core[number[0]], number[0]);
    ck_assert_uint_eq(layout.core[number[1]], number[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("processors");
    TCase *one = tcase_create("processors");
    if (mkdtemp(root) == NULL)
        return 1;
    tcase_add_test(one, texts);
    tcase_add_test(one, the_longest_text);
    tcase_add_loop_test(one, which_it_gets, 0, sizeof(choices) / sizeof(choices[0]));
    tcase_add_test(one, never_what_is_taken);
    tcase_add_test(one, without_files_each_is_a_core);
    tcase_add_test(one, what_the_files_say);
    tcase_add_test(one, which_are_threads_of_one_core);
    suite_add_tcase(suite, one);
    const int status = suite_run(suite);
    CLEANUP_FREE char *remove = xasprintf("rm -rf %s", root);
    return system(remove) == 0 ? status : EXIT_FAILURE; /* NOLINT */
}
