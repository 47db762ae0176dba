/* Dependencies without a daemon: what is accepted, who is freed by what, and cycles. */
#include "daemon/core/dependency_graph.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the text ---- */

START_TEST(types_lists_and_alternatives)
{
    struct dependency_spec spec;
    ck_assert_int_eq(dependency_spec_parse("afterok:1:2,after:3_7,singleton", &spec, NULL), 0);
    ck_assert_uint_eq(spec.count, 4);
    ck_assert(!spec.any);
    ck_assert_int_eq(spec.items[1].type, DEPENDENCY_AFTEROK);
    ck_assert_uint_eq(spec.items[1].parent, 2);
    ck_assert(spec.items[2].is_task && spec.items[2].index == 7);
    ck_assert_int_eq(spec.items[3].type, DEPENDENCY_SINGLETON);
    dependency_spec_done(&spec);
    ck_assert_int_eq(dependency_spec_parse("afternotok:1?afterany:2", &spec, NULL), 0);
    ck_assert(spec.any && spec.count == 2);
    dependency_spec_done(&spec);
}
END_TEST

START_TEST(the_text_comes_back)
{
    static const char *const texts[][2] = {
        {"afterok:1:2,after:3_7,singleton", "afterok:1:2,after:3_7,singleton"},
        {"afterok:1,afterok:2", "afterok:1:2"},
        {"afterok:1,2", "afterok:1:2"},
        {"afternotok:1?2:3?4_1", "afternotok:1?afternotok:2?afternotok:3?afternotok:4_1"},
        {"1,afterok:2,3", "afterany:1,afterok:2:3"},
        {"7", "afterany:7"},
        {"7:8", "afterany:7:8"},
        {"7,8_0", "afterany:7:8_0"},
        {"7?8", "afterany:7?afterany:8"},
        {"aftercorr:5,afterok:6", "aftercorr:5,afterok:6"},
        {"afterok:1:2?afternotok:3", "afterok:1?afterok:2?afternotok:3"},
        {"singleton", "singleton"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct dependency_spec spec;
        ck_assert_int_eq(dependency_spec_parse(texts[i][0], &spec, NULL), 0);
        char *text = dependency_spec_text(&spec);
        ck_assert_str_eq(text, texts[i][1]);
        free(text);
        dependency_spec_done(&spec);
    }
    const struct dependency_spec none = {.items = NULL};
    ck_assert_ptr_null(dependency_spec_text(&none));
}
END_TEST

START_TEST(names_stand_for_jobs_of_a_request)
{
    static const char *const names[] = {"encode", "encode_7", "gate", NULL};
    struct dependency_spec spec;
    ck_assert_int_eq(
        dependency_spec_parse_named("gate,afterok:encode_7:encode_8:41_2", names, &spec, NULL), 0);
    ck_assert_uint_eq(spec.count, 4);
    ck_assert_int_eq(spec.items[0].type, DEPENDENCY_AFTERANY);
    ck_assert(spec.items[0].parent == DEPENDENCY_SIBLING + 2 && !spec.items[0].is_task);
    ck_assert(spec.items[1].parent == DEPENDENCY_SIBLING + 1 && !spec.items[1].is_task);
    ck_assert(spec.items[2].parent == DEPENDENCY_SIBLING && spec.items[2].index == 8);
    ck_assert(spec.items[2].is_task && spec.items[3].is_task && spec.items[3].parent == 41);
    dependency_spec_done(&spec);
    static const char *const wrong[] = {
        "other",           "afterok:encode_", "afterok:gate_x", "afterok:Gate",  "aftercorr:gate_1",
        "afterok:other_1", "singleton,gate",  "gate:",          "afterok:gate 1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct error err = {.code = ERROR_NONE};
        ck_assert_int_eq(dependency_spec_parse_named(wrong[i], names, &spec, &err), -1);
        ck_assert_str_eq(err.field, "depends");
    }
}
END_TEST

START_TEST(what_may_be_such_a_name)
{
    static const char *const good[] = {"a", "A-1_b", "afterok1", "singletons"};
    static const char *const bad[] = {"",    "1a",  "_a",    "-a",       "a.b",
                                      "a b", "a:b", "after", "singleton"};
    char longest[66];
    memset(longest, 'a', 65);
    longest[65] = '\0';
    ck_assert(!dependency_name_valid(longest));
    longest[64] = '\0';
    ck_assert(dependency_name_valid(longest));
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert(dependency_name_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert(!dependency_name_valid(bad[i]));
}
END_TEST

START_TEST(refused_with_the_field_named)
{
    static const char *const wrong[] = {"",
                                        ",",
                                        "afterok",
                                        "afterok:",
                                        "afterok:0",
                                        "afterok:x",
                                        "afterok:-1",
                                        "afterok:1,",
                                        "afterok:1::2",
                                        "afterok:1?2,3",
                                        "before:1",
                                        "singleton,2",
                                        "afterok:1,,2",
                                        "singleton:1",
                                        "aftercorr:1_2",
                                        "afterok:1_",
                                        "afterok:_1",
                                        "aftercorr:1:2",
                                        "aftercorr:1?afterok:2",
                                        "AFTEROK:1",
                                        "afterok: 1",
                                        "afterok:1+5",
                                        "afterok:9007199254740993",
                                        "afterok:1_4294967296"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct dependency_spec spec = {.count = 77};
        struct error err = {.code = ERROR_NONE};
        ck_assert_msg(dependency_spec_parse(wrong[i], &spec, &err) < 0, "%s", wrong[i]);
        ck_assert_str_eq(err.field, "depends");
        ck_assert_uint_eq(spec.count, 77);
    }
}
END_TEST

START_TEST(a_limit_that_the_error_names)
{
    char text[3 * DEPENDENCIES_MAX + 32] = "afterok";
    size_t used = strlen(text);
    struct dependency_spec spec;
    struct error err;
    for (unsigned i = 0; i < DEPENDENCIES_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, ":1");
    ck_assert_int_eq(dependency_spec_parse(text, &spec, &err), 0);
    ck_assert_uint_eq(spec.count, DEPENDENCIES_MAX);
    dependency_spec_done(&spec);
    (void)snprintf(text + used, sizeof(text) - used, ":1");
    ck_assert_int_lt(dependency_spec_parse(text, &spec, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "over 1000 jobs"));
}
END_TEST

START_TEST(what_an_end_fulfils)
{
    static const struct {
        enum dependency_type type;
        bool completed, failed, cancelled;
    } table[] = {{DEPENDENCY_AFTER, true, true, true},
                 {DEPENDENCY_AFTERANY, true, true, true},
                 {DEPENDENCY_AFTEROK, true, false, false},
                 {DEPENDENCY_AFTERNOTOK, false, true, true}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        ck_assert(dependency_fulfilled(table[i].type, JOB_STATE_COMPLETED) == table[i].completed);
        ck_assert(dependency_fulfilled(table[i].type, JOB_STATE_FAILED) == table[i].failed);
        ck_assert(dependency_fulfilled(table[i].type, JOB_STATE_CANCELLED) == table[i].cancelled);
    }
}
END_TEST

/* ---- the graph ---- */

static struct dependency_edge *wait_for(struct dependency_graph *graph, uint64_t child, bool any,
                                        enum dependency_type type, uint64_t parent)
{
    const struct dependency what = {.type = type, .parent = parent};
    return dependency_graph_add(graph, child, 0, any, &what);
}

static enum dependency_verdict close_first(struct dependency_graph *graph, uint64_t parent,
                                           bool fulfilled)
{
    struct dependency_edge *edge = dependency_graph_first(graph, parent, -1, WAIT_FOR_END);
    ck_assert_ptr_nonnull(edge);
    return dependency_graph_close(graph, edge, fulfilled);
}

START_TEST(all_or_any)
{
    struct dependency_graph *graph = dependency_graph_new();
    wait_for(graph, 10, false, DEPENDENCY_AFTEROK, 1);
    wait_for(graph, 10, false, DEPENDENCY_AFTEROK, 2);
    ck_assert_int_eq(close_first(graph, 2, true), DEPENDENCY_WAITS);
    ck_assert(dependency_graph_waits(graph, 10));
    ck_assert_int_eq(close_first(graph, 1, true), DEPENDENCY_MET);
    ck_assert(dependency_graph_empty(graph));

    wait_for(graph, 10, false, DEPENDENCY_AFTEROK, 1);
    wait_for(graph, 10, false, DEPENDENCY_AFTEROK, 2);
    ck_assert_int_eq(close_first(graph, 1, false), DEPENDENCY_NEVER);
    ck_assert(dependency_graph_empty(graph));

    for (uint64_t parent = 1; parent <= 3; parent++)
        wait_for(graph, 10, true, DEPENDENCY_AFTEROK, parent);
    ck_assert_int_eq(close_first(graph, 1, false), DEPENDENCY_WAITS);
    ck_assert_int_eq(close_first(graph, 2, true), DEPENDENCY_MET);
    ck_assert(dependency_graph_empty(graph));

    wait_for(graph, 10, true, DEPENDENCY_AFTEROK, 1);
    wait_for(graph, 10, true, DEPENDENCY_AFTEROK, 2);
    ck_assert_int_eq(close_first(graph, 1, false), DEPENDENCY_WAITS);
    ck_assert_int_eq(close_first(graph, 2, false), DEPENDENCY_NEVER);
    ck_assert(dependency_graph_empty(graph));
    dependency_graph_free(graph);
}
END_TEST

START_TEST(a_task_keeps_its_array_known)
{
    struct dependency_graph *graph = dependency_graph_new();
    const struct dependency what[] = {
        {.type = DEPENDENCY_AFTEROK, .is_task = true, .parent = 5, .index = 0},
        {.type = DEPENDENCY_AFTER, .is_task = true, .parent = 5, .index = 7}};
    dependency_graph_add(graph, 9, 0, false, &what[0]);
    dependency_graph_add(graph, 9, 1, false, &what[1]);
    ck_assert(dependency_graph_awaited(graph, 5, -1));
    ck_assert(dependency_graph_awaited(graph, 5, 7) && !dependency_graph_awaited(graph, 5, 6));
    ck_assert_ptr_null(dependency_graph_first(graph, 5, -1, WAIT_FOR_END));
    ck_assert_ptr_null(dependency_graph_first(graph, 5, 7, WAIT_FOR_END));
    ck_assert_ptr_nonnull(dependency_graph_first(graph, 5, 7, WAIT_FOR_START));
    int closed = 0;
    for (struct dependency_edge *edge; (edge = dependency_graph_first_of_tasks(graph, 5)) != NULL;
         closed++)
        dependency_graph_close(graph, edge, true);
    ck_assert_int_eq(closed, 2);
    ck_assert(dependency_graph_empty(graph));
    dependency_graph_free(graph);
}
END_TEST

START_TEST(task_by_task_does_not_keep_the_whole_waiting)
{
    struct dependency_graph *graph = dependency_graph_new();
    wait_for(graph, 9, false, DEPENDENCY_AFTERCORR, 5);
    ck_assert(!dependency_graph_waits(graph, 9));
    wait_for(graph, 9, false, DEPENDENCY_AFTEROK, 6);
    ck_assert_int_eq(close_first(graph, 6, true), DEPENDENCY_MET);
    struct dependency_edge *edge = dependency_graph_first(graph, 5, -1, WAIT_FOR_TASKS);
    ck_assert_ptr_nonnull(edge);
    ck_assert_int_eq(dependency_graph_close(graph, edge, true), DEPENDENCY_WAITS);
    ck_assert(dependency_graph_empty(graph));
    dependency_graph_free(graph);
}
END_TEST

START_TEST(those_who_waited_longest_come_first)
{
    enum { CHILDREN = 1000 };
    struct dependency_graph *graph = dependency_graph_new();
    for (uint64_t child = 2; child < CHILDREN; child++)
        wait_for(graph, child, false, DEPENDENCY_AFTERANY, 1);
    for (uint64_t child = 3; child < CHILDREN; child += 3)
        dependency_graph_drop(graph, child);
    for (uint64_t child = 2; child < CHILDREN; child++) {
        if (child % 3 == 0)
            continue;
        struct dependency_edge *edge = dependency_graph_first(graph, 1, -1, WAIT_FOR_END);
        ck_assert_uint_eq(edge->child, child);
        dependency_graph_close(graph, edge, true);
    }
    ck_assert(dependency_graph_empty(graph));
    dependency_graph_free(graph);
}
END_TEST

static size_t cycle(struct dependency_graph *graph, uint64_t child, uint64_t parent,
                    uint64_t **ret_path)
{
    return dependency_graph_cycle(graph, child, &parent, 1, ret_path);
}

START_TEST(a_cycle_is_named)
{
    struct dependency_graph *graph = dependency_graph_new();
    uint64_t *path = NULL;
    wait_for(graph, 4, false, DEPENDENCY_AFTEROK, 3);
    wait_for(graph, 3, false, DEPENDENCY_AFTEROK, 2);
    wait_for(graph, 5, false, DEPENDENCY_AFTEROK, 4);
    wait_for(graph, 4, false, DEPENDENCY_AFTEROK, 1);
    ck_assert_uint_eq(cycle(graph, 6, 5, &path), 0);
    ck_assert_uint_eq(cycle(graph, 5, 1, &path), 0);
    ck_assert_uint_eq(cycle(graph, 2, 5, &path), 5);
    static const uint64_t expected[] = {2, 5, 4, 3, 2};
    ck_assert_mem_eq(path, expected, sizeof(expected));
    free(path);
    ck_assert_uint_eq(cycle(graph, 7, 7, &path), 2);
    ck_assert(path[0] == 7 && path[1] == 7);
    free(path);
    ck_assert_uint_eq(cycle(graph, 2, 3, &path), 3);
    ck_assert_uint_eq(path[1], 3);
    free(path);
    dependency_graph_free(graph);
}
END_TEST

START_TEST(several_parents_are_looked_at_together)
{
    static const uint64_t parents[] = {0, 9, 3, 5};
    struct dependency_graph *graph = dependency_graph_new();
    uint64_t *path = NULL;
    wait_for(graph, 3, false, DEPENDENCY_AFTEROK, 2);
    wait_for(graph, 5, false, DEPENDENCY_AFTEROK, 3);
    ck_assert_uint_eq(dependency_graph_cycle(graph, 7, parents, 4, &path), 0);
    ck_assert_uint_eq(dependency_graph_cycle(graph, 2, parents, 4, &path), 3);
    static const uint64_t expected[] = {2, 3, 2};
    ck_assert_mem_eq(path, expected, sizeof(expected));
    free(path);
    ck_assert_uint_eq(dependency_graph_cycle(graph, 9, parents, 4, &path), 2);
    ck_assert(path[0] == 9 && path[1] == 9);
    free(path);
    dependency_graph_free(graph);
}
END_TEST

/* As many paths lead down as there are subsets of the layers: each job is looked at once. */
START_TEST(a_search_is_linear)
{
    enum { LAYERS = 40, CHAIN = 200000, PARENTS = 1000 };
    uint64_t parents[PARENTS];
    struct dependency_graph *graph = dependency_graph_new();
    uint64_t *path = NULL;
    for (uint64_t layer = 1; layer < LAYERS; layer++) {
        for (uint64_t i = 0; i < 4; i++)
            wait_for(graph, layer * 2 + i / 2, false, DEPENDENCY_AFTEROK, layer * 2 - 2 + i % 2);
    }
    wait_for(graph, 1001, false, DEPENDENCY_AFTEROK, 1000);
    wait_for(graph, 0, false, DEPENDENCY_AFTEROK, 900);
    ck_assert_uint_eq(cycle(graph, 1000, LAYERS * 2 - 1, &path), 0);
    ck_assert_uint_eq(dependency_graph_visited(graph), LAYERS * 2);
    for (uint64_t id = 10001; id <= 10000 + CHAIN; id++)
        wait_for(graph, id, false, DEPENDENCY_AFTEROK, id - 1);
    ck_assert_uint_eq(cycle(graph, 10000, 10000 + CHAIN, &path), CHAIN + 2);
    free(path);
    for (uint64_t i = 0; i < PARENTS; i++)
        parents[i] = 10000 + CHAIN - i;
    ck_assert_uint_eq(dependency_graph_cycle(graph, 1000, parents, PARENTS, &path), 0);
    dependency_graph_free(graph);
}
END_TEST

/* Jobs wait for earlier ones, so nothing is looked at below the child, unless there, or above, a
 * job waits for a later one. */
START_TEST(a_search_goes_no_further_than_a_cycle_may)
{
    enum { CHAIN = 1000, MIDDLE = 500 };
    struct dependency_graph *graph = dependency_graph_new();
    uint64_t *path = NULL;
    for (uint64_t id = 2; id <= CHAIN; id++)
        wait_for(graph, id, false, DEPENDENCY_SINGLETON, id - 1);
    ck_assert_uint_eq(cycle(graph, MIDDLE, MIDDLE - 2, &path), 0);
    ck_assert_uint_eq(cycle(graph, CHAIN, CHAIN - 2, &path), 0);
    ck_assert_uint_eq(dependency_graph_visited(graph), 0);
    ck_assert_uint_eq(cycle(graph, MIDDLE, CHAIN, &path), CHAIN - MIDDLE + 2);
    free(path);
    uint64_t visited = dependency_graph_visited(graph);
    ck_assert_uint_eq(visited, CHAIN - MIDDLE + 1);

    struct dependency_edge *forward = wait_for(graph, 400, false, DEPENDENCY_AFTEROK, 2000);
    wait_for(graph, 450, false, DEPENDENCY_AFTEROK, 2000);
    ck_assert_uint_eq(cycle(graph, MIDDLE, MIDDLE - 1, &path), 0);
    ck_assert_uint_eq(dependency_graph_visited(graph) - visited, 100 + 1);
    dependency_graph_redirect(graph, forward, MIDDLE + 3);
    ck_assert_uint_eq(cycle(graph, MIDDLE, MIDDLE - 1, &path), 100 + 5);
    free(path);
    dependency_graph_drop(graph, 400);
    dependency_graph_drop(graph, 450);
    visited = dependency_graph_visited(graph);
    ck_assert_uint_eq(cycle(graph, MIDDLE, MIDDLE - 1, &path), 0);
    ck_assert_uint_eq(dependency_graph_visited(graph), visited);
    dependency_graph_free(graph);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dependencies");
    TCase *all = tcase_create("all");
    tcase_add_test(all, types_lists_and_alternatives);
    tcase_add_test(all, the_text_comes_back);
    tcase_add_test(all, names_stand_for_jobs_of_a_request);
    tcase_add_test(all, what_may_be_such_a_name);
    tcase_add_test(all, refused_with_the_field_named);
    tcase_add_test(all, a_limit_that_the_error_names);
    tcase_add_test(all, what_an_end_fulfils);
    tcase_add_test(all, all_or_any);
    tcase_add_test(all, a_task_keeps_its_array_known);
    tcase_add_test(all, task_by_task_does_not_keep_the_whole_waiting);
    tcase_add_test(all, those_who_waited_longest_come_first);
    tcase_add_test(all, a_cycle_is_named);
    tcase_add_test(all, several_parents_are_looked_at_together);
    tcase_add_test(all, a_search_is_linear);
    tcase_add_test(all, a_search_goes_no_further_than_a_cycle_may);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
