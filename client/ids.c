/* Ids as people write them. Patterns are resolved here, by List, so the daemon knows ids only. */
#include "client/cli.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"
#include "daemon/core/array_spec.h"

#include <string.h>

#define RANGE_MAX 1000000U
#define TASKS_EACH_MAX 1000U /* tasks that show asks for one by one */

static int add_list(struct cli *cli, json_t *parameters, bool first_only, json_t *ids)
{
    int code = 0;
    json_int_t after = 0;
    CLEANUP_JSON json_t *mine = parameters;
    json_put_int(mine, "limit", first_only ? 1 : 1000);
    for (;;) {
        CLEANUP_JSON json_t *reply =
            cli_call(cli, "io.batchd.Jobs.List", json_deep_copy(mine), &code);
        const json_t *next = json_object_get(reply, "next");
        size_t i;
        json_t *job;
        if (reply == NULL)
            return code;
        json_array_foreach(json_object_get(reply, "jobs"), i, job)
            (void)json_array_append(ids, json_object_get(job, "id"));
        if (first_only || !json_is_integer(next) || json_integer_value(next) == after)
            return 0;
        after = json_integer_value(next);
        json_put_int(mine, "after_id", after);
    }
}

static int add_range(const struct cli *cli, const char *word, json_t *ids)
{
    struct error err;
    uint64_t from;
    uint64_t to;
    const char *dash = strchr(word, '-');
    char low[24] = "";
    size_t length = dash == NULL ? strlen(word) : (size_t)(dash - word);
    if (length < sizeof(low))
        memcpy(low, word, length);
    if (parse_u64(low, 1, UINT64_C(1) << 53U, &from, &err) < 0 ||
        parse_u64(dash == NULL ? low : dash + 1, from, from + RANGE_MAX, &to, &err) < 0)
        return cli_fail(
            EXIT_USAGE,
            cli->verb->tasks != CLI_TASKS_NONE
                ? "ids: 42, 42_7, 42_[1-3,9], 40-45, @last, @failed, name:GLOB, tag:KEY=VALUE"
                : "ids: 42, 40-45, @last, @failed, name:GLOB, tag:KEY=VALUE",
            "\"%s\" is not a job id", word);
    for (uint64_t id = from; id <= to; id++)
        (void)json_array_append_new(ids, json_integer((json_int_t)id));
    return 0;
}

static json_t *task_of(uint64_t id, uint64_t index)
{
    json_t *task = json_object();
    json_put_int(task, "id", (int64_t)id);
    json_put_int(task, "index", (int64_t)index);
    return task;
}

/* 42_[1-3,9], `list` is what stands in the brackets: as it is, or task by task. */
static int add_tasks(uint64_t id, const char *list, json_t *ids)
{
    struct array_spec spec;
    struct error err;
    if (array_spec_parse(list, TASKS_EACH_MAX, &spec, &err) < 0)
        return cli_fail(EXIT_USAGE, NULL,
                        "\"%s\" must be at most %u indices in ascending order, such as 1-3,9", list,
                        TASKS_EACH_MAX);
    for (uint64_t at = 0; at < spec.total; at++)
        (void)json_array_append_new(ids, task_of(id, array_spec_index(&spec, at)));
    array_spec_done(&spec);
    return 0;
}

/* 42_7: one task of an array; 42_[1-3,9]: some. */
static int add_task(const struct cli *cli, const char *word, const char *underscore, json_t *ids)
{
    struct error err;
    uint64_t id;
    uint64_t index;
    char job[24] = "";
    size_t length = strlen(underscore);
    bool many = length > 3 && underscore[1] == '[' && underscore[length - 1] == ']';
    if ((size_t)(underscore - word) < sizeof(job))
        memcpy(job, word, (size_t)(underscore - word));
    if (parse_u64(job, 1, UINT64_C(1) << 53U, &id, &err) < 0 ||
        (!many && parse_u64(underscore + 1, 0, UINT32_MAX, &index, &err) < 0))
        return add_range(cli, word, ids); /* says what an id may be */
    if (cli->verb->tasks == CLI_TASKS_NONE)
        return cli_fail(EXIT_USAGE, NULL, "%s takes whole jobs; %s is %s of array %s",
                        cli->verb->name, word, many ? "some tasks" : "one task", job);
    if (!many) {
        (void)json_array_append_new(ids, task_of(id, index));
        return 0;
    }
    CLEANUP_FREE char *list = xmemdup(underscore + 2, length - 3);
    if (cli->verb->tasks == CLI_TASKS_EACH)
        return add_tasks(id, list, ids);
    json_t *tasks = json_object();
    json_put_int(tasks, "id", (int64_t)id);
    json_put_text(tasks, "indices", list);
    (void)json_array_append_new(ids, tasks);
    return 0;
}

void cli_put_id(json_t *request, const json_t *id)
{
    static const char *const names[] = {"index", "indices"};
    const json_t *job = json_is_object(id) ? json_object_get(id, "id") : id;
    json_put_int(request, "id", json_integer_value(job));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        json_t *value = json_object_get(id, names[i]);
        if (value != NULL)
            json_put(request, names[i], json_incref(value));
    }
}

char *cli_id_text(const json_t *id)
{
    const json_t *index = json_object_get(id, "index");
    const char *indices = json_string_value(json_object_get(id, "indices"));
    long long job = json_integer_value(json_is_object(id) ? json_object_get(id, "id") : id);
    if (indices != NULL)
        return xasprintf("%lld_[%s]", job, indices);
    if (json_is_integer(index))
        return xasprintf("%lld_%lld", job, json_integer_value(index));
    return xasprintf("%lld", job);
}

static int add_word(struct cli *cli, const char *word, json_t *ids)
{
    json_t *query = json_object();
    if (strcmp(word, "@last") == 0) {
        json_put(query, "newest", json_true());
        json_put(query, "all", json_true());
        return add_list(cli, query, true, ids);
    }
    if (strcmp(word, "@failed") == 0) {
        json_put(query, "states", json_pack("[s]", "failed"));
        return add_list(cli, query, false, ids);
    }
    if (strncmp(word, "name:", 5) == 0) {
        json_put_text(query, "name", word + 5);
        return add_list(cli, query, false, ids);
    }
    const char *equals = strchr(word, '=');
    if (strncmp(word, "tag:", 4) == 0 && equals != NULL) {
        json_t *tags = json_object();
        char name[300];
        (void)snprintf(name, sizeof(name), "%.*s", (int)(equals - word - 4), word + 4);
        json_put_text(tags, name, equals + 1);
        json_put(query, "tags", tags);
        return add_list(cli, query, false, ids);
    }
    json_decref(query);
    const char *underscore = strchr(word, '_');
    if (underscore != NULL)
        return add_task(cli, word, underscore, ids);
    return add_range(cli, word, ids);
}

json_t *cli_ids(struct cli *cli, char **words, int count, int *ret_code)
{
    CLEANUP_JSON json_t *ids = json_array();
    *ret_code = 0;
    if (count == 0) {
        *ret_code = cli_fail(EXIT_USAGE, "batchctl list", "%s needs a job id", cli->verb->name);
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        *ret_code = add_word(cli, words[i], ids);
        if (*ret_code != 0)
            return NULL;
    }
    if (json_array_size(ids) == 0) {
        *ret_code = cli_fail(EXIT_NO_SUCH, NULL, "no job matches");
        return NULL;
    }
    return TAKE_PTR(ids);
}

int cli_each_id(struct cli *cli, char **words, int count, cli_id_fn one, void *arg)
{
    int result = EXIT_DONE;
    int code;
    size_t i;
    json_t *id;
    CLEANUP_JSON json_t *ids = cli_ids(cli, words, count, &code);
    if (ids == NULL)
        return code;
    json_array_foreach(ids, i, id) {
        code = one(cli, id, arg);
        result = result == EXIT_DONE ? code : result;
    }
    return result;
}
