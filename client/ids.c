/* Ids as people write them. Patterns are resolved here, by List, so the daemon knows ids only. */
#include "client/cli.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"
#include "daemon/core/array_spec.h"

#include <string.h>

#define TASKS_EACH_MAX 1000U /* tasks that show asks for one by one */

struct ids {
    struct cli *cli;
    enum cli_like like; /* what stands for many names only these */
    json_t *found;      /* borrowed */
    json_t *named;      /* {text: true} of those that no pattern stands for; borrowed */
};

/* The states that List is asked for; NULL: all. */
static json_t *states_of(enum cli_like like)
{
    switch (like) {
    case CLI_LIKE_OPEN:
    case CLI_LIKE_WAITING:
    case CLI_LIKE_HELD:
        return json_pack("[ssss]", "pending", "starting", "running", "suspended");
    case CLI_LIKE_RUNNING:
        return json_pack("[s]", "running");
    case CLI_LIKE_SUSPENDED:
    case CLI_LIKE_STARTED:
        return json_pack("[ss]", "running", "suspended");
    case CLI_LIKE_ENDED:
        return json_pack("[sss]", "completed", "failed", "cancelled");
    case CLI_LIKE_FAILED:
        return json_pack("[ss]", "failed", "cancelled"); /* an array with failed tasks is either */
    case CLI_LIKE_ANY:
        break;
    }
    return NULL;
}

static bool has_reason(const json_t *job, const char *reason)
{
    const json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)json_object_get(job, "reasons"), i, one) {
        if (json_is_string(one) && strcmp(json_string_value(one), reason) == 0)
            return true;
    }
    return false;
}

/* What the states alone do not say. */
static bool is_like(const json_t *job, enum cli_like like)
{
    const char *state = json_string_value(json_object_get(job, "state"));
    const json_t *array = json_object_get(job, "array");
    if (like == CLI_LIKE_WAITING)
        return (state != NULL && strcmp(state, "pending") == 0) || json_is_object(array);
    if (like == CLI_LIKE_SUSPENDED)
        return (state != NULL && strcmp(state, "suspended") == 0) || json_is_object(array);
    if (like == CLI_LIKE_FAILED)
        return (state != NULL && strcmp(state, "failed") == 0) ||
               json_integer_value(json_object_get(array, "failed")) > 0;
    return like != CLI_LIKE_HELD || has_reason(job, "Held") || has_reason(job, "RetryBackoff");
}

/* Leaves in `states` what `others`, which it takes, has too. Whether anything is left. */
static bool keep_common(json_t *states, json_t *others)
{
    CLEANUP_JSON json_t *mine = others;
    for (size_t i = json_array_size(states); i-- > 0;) {
        bool found = false;
        size_t k;
        const json_t *other;
        json_array_foreach(mine, k, other)
            found |= json_equal(json_array_get(states, i), (json_t *)(uintptr_t)other) != 0;
        if (!found)
            (void)json_array_remove(states, i);
    }
    return json_array_size(states) > 0;
}

/* Takes `parameters` of List, all pages of which are read. */
static int add_list(struct ids *ids, json_t *parameters, bool first_only)
{
    int code = 0;
    json_int_t after = 0;
    json_t *states = states_of(ids->like);
    CLEANUP_JSON json_t *mine = parameters;
    json_put_int(mine, "limit", first_only ? 1 : 250);
    if (states == NULL || first_only)
        json_decref(states);
    else if (json_object_get(mine, "states") == NULL)
        json_put(mine, "states", states);
    else if (!keep_common(json_object_get(mine, "states"), states))
        return 0;
    for (;;) {
        CLEANUP_JSON json_t *reply =
            cli_call(ids->cli, "io.batchd.Jobs.List", json_deep_copy(mine), &code);
        const json_t *next = json_object_get(reply, "next");
        size_t i;
        json_t *job;
        if (reply == NULL)
            return code;
        json_array_foreach(json_object_get(reply, "jobs"), i, job) {
            if (first_only || is_like(job, ids->like))
                (void)json_array_append(ids->found, json_object_get(job, "id"));
        }
        if (first_only || !json_is_integer(next) || json_integer_value(next) == after)
            return 0;
        after = json_integer_value(next);
        json_put_int(mine, "after_id", after);
    }
}

static int refuse_word(const struct cli *cli, const char *word)
{
    return cli_fail(EXIT_USAGE,
                    cli->verb->tasks != CLI_TASKS_NONE
                        ? "ids: 42, 42_7, 42_[1-3,9], 40-45, @last, @failed, name:GLOB, "
                          "tag:KEY=VALUE"
                        : "ids: 42, 40-45, @last, @failed, name:GLOB, tag:KEY=VALUE",
                    "\"%s\" is not a job id", word);
}

/* 42, or 40-45. False: it is neither. */
static bool read_range(const char *word, uint64_t *ret_from, uint64_t *ret_to)
{
    struct error err;
    const char *dash = strchr(word, '-');
    CLEANUP_FREE char *low = xmemdup(word, dash == NULL ? strlen(word) : (size_t)(dash - word));
    return parse_u64(low, 1, UINT64_C(1) << 53U, ret_from, &err) == 0 &&
           parse_u64(dash == NULL ? low : dash + 1, *ret_from, UINT64_C(1) << 53U, ret_to, &err) ==
               0;
}

static json_t *query_of_range(const char *word)
{
    uint64_t from;
    uint64_t to;
    if (strchr(word, '-') == NULL || !read_range(word, &from, &to))
        return NULL;
    return json_pack("{s[{sIsI}]}", "ids", "from", (json_int_t)from, "to", (json_int_t)to);
}

/* tag:KEY=VALUE */
static json_t *query_of_tag(const char *tag)
{
    const char *equals = strchr(tag, '=');
    json_t *tags = json_object();
    CLEANUP_FREE char *name = xmemdup(tag, (size_t)(equals - tag));
    json_put_text(tags, name, equals + 1);
    return json_pack("{so}", "tags", tags);
}

/* What List is asked for by a word that stands for as many jobs as match it; NULL: by none. */
static json_t *query_of(const char *word)
{
    json_t *query;
    if (strcmp(word, "@last") == 0)
        return json_pack("{sbsb}", "newest", 1, "all", 1);
    if (strcmp(word, "@failed") == 0)
        return json_pack("{s[s]}", "states", "failed");
    if (strncmp(word, "tag:", 4) == 0 && strchr(word, '=') != NULL)
        return query_of_tag(word + 4);
    if (strncmp(word, "name:", 5) != 0)
        return strchr(word, '_') == NULL ? query_of_range(word) : NULL;
    query = json_object();
    json_put_text(query, "name", word + 5);
    return query;
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
static int add_task(struct ids *ids, const char *word, const char *underscore)
{
    const struct verb *verb = ids->cli->verb;
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
        return refuse_word(ids->cli, word);
    if (verb->tasks == CLI_TASKS_NONE)
        return cli_fail(EXIT_USAGE, NULL, "%s takes whole jobs; %s is %s of array %s", verb->name,
                        word, many ? "some tasks" : "one task", job);
    if (!many) {
        (void)json_array_append_new(ids->found, task_of(id, index));
        return 0;
    }
    CLEANUP_FREE char *list = xmemdup(underscore + 2, length - 3);
    if (verb->tasks == CLI_TASKS_EACH)
        return add_tasks(id, list, ids->found);
    json_t *tasks = json_object();
    json_put_int(tasks, "id", (int64_t)id);
    json_put_text(tasks, "indices", list);
    (void)json_array_append_new(ids->found, tasks);
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

static bool is_last(const char *word)
{
    return strcmp(word, "@last") == 0;
}

static void note_named(const struct ids *ids, size_t from)
{
    for (size_t i = from; i < json_array_size(ids->found); i++) {
        CLEANUP_FREE char *text = cli_id_text(json_array_get(ids->found, i));
        json_put(ids->named, text, json_true());
    }
}

static int add_word(struct ids *ids, const char *word)
{
    json_t *query = query_of(word);
    const char *underscore = strchr(word, '_');
    uint64_t id;
    uint64_t same;
    if (query != NULL)
        return add_list(ids, query, is_last(word));
    if (underscore != NULL)
        return add_task(ids, word, underscore);
    if (!read_range(word, &id, &same))
        return refuse_word(ids->cli, word);
    (void)json_array_append_new(ids->found, json_integer((json_int_t)id));
    return 0;
}

/* Reports that nothing is named by a word. */
static int fail_nothing(enum cli_like like, const char *word)
{
    static const char *const which[] = {
        [CLI_LIKE_ANY] = "",
        [CLI_LIKE_OPEN] = " of those that have not ended",
        [CLI_LIKE_WAITING] = " of those that wait",
        [CLI_LIKE_HELD] = " of those that are held or wait for another attempt",
        [CLI_LIKE_RUNNING] = " of those that run",
        [CLI_LIKE_SUSPENDED] = " of those that are suspended",
        [CLI_LIKE_STARTED] = " of those that run",
        [CLI_LIKE_ENDED] = " of those that have ended",
        [CLI_LIKE_FAILED] = " of those that failed",
    };
    CLEANUP_FREE char *hint = like == CLI_LIKE_ANY ? NULL : xasprintf("batchctl list '%s'", word);
    return cli_fail(EXIT_NO_SUCH, hint, "no job matches %s%s", word, which[like]);
}

/* Each of them once, where it first stands. */
static json_t *without_doubles(const json_t *ids)
{
    json_t *once = json_array();
    CLEANUP_JSON json_t *seen = json_object();
    json_t *id;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)ids, i, id) {
        CLEANUP_FREE char *text = cli_id_text(id);
        if (json_object_get(seen, text) == NULL)
            (void)json_array_append(once, id);
        json_put(seen, text, json_true());
    }
    return once;
}

static int collect_word(struct ids *ids, const char *word)
{
    size_t before = json_array_size(ids->found);
    CLEANUP_JSON json_t *pattern = is_last(word) ? NULL : query_of(word);
    int code = add_word(ids, word);
    if (code == 0 && pattern == NULL)
        note_named(ids, before);
    return code;
}

/* The ids of all words, and in `named` those that no pattern stands for; *ret_code is EXIT_NO_SUCH
 * when one names nothing. NULL: another error. */
static json_t *collect(struct cli *cli, enum cli_like like, char **words, int count, json_t *named,
                       int *ret_code)
{
    CLEANUP_JSON json_t *found = json_array();
    struct ids ids = {.cli = cli, .like = like, .found = found, .named = named};
    *ret_code = 0;
    if (count == 0) {
        *ret_code = cli_fail(EXIT_USAGE, "batchctl list", "%s needs a job id", cli->verb->name);
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        size_t before = json_array_size(found);
        int code = collect_word(&ids, words[i]);
        if (code != 0) {
            *ret_code = code;
            return NULL;
        }
        if (json_array_size(found) == before)
            *ret_code = fail_nothing(like, words[i]);
    }
    return count == 1 ? TAKE_PTR(found) : without_doubles(found);
}

json_t *cli_ids(struct cli *cli, char **words, int count, int *ret_code)
{
    CLEANUP_JSON json_t *named = json_object();
    CLEANUP_JSON json_t *ids = collect(cli, CLI_LIKE_ANY, words, count, named, ret_code);
    return *ret_code == 0 ? TAKE_PTR(ids) : NULL;
}

int cli_query(struct cli *cli, json_t *parameters, char **words, int count, bool *ret_pattern)
{
    int code = 0;
    json_t *query = count == 1 && !is_last(words[0]) ? query_of(words[0]) : NULL;
    *ret_pattern = query != NULL || (count == 1 && is_last(words[0]));
    if (query == NULL) {
        json_t *ids = cli_ids(cli, words, count, &code);
        if (ids != NULL)
            json_put(parameters, "ids", ids);
        return code;
    }
    (void)json_object_update_missing(parameters, query);
    json_decref(query);
    return 0;
}

/* One word that leads to one call, and not to as many as match it. */
static bool is_plain(const struct cli *cli, char **words, int count)
{
    static const char digits[] = "0123456789_";
    if (count != 1)
        return false;
    const char *rest = words[0] + strspn(words[0], digits);
    return rest[0] == '\0' || is_last(words[0]) ||
           (rest[0] == '[' && cli->verb->tasks == CLI_TASKS_SETS);
}

int cli_each_id_like(struct cli *cli, enum cli_like like, char **words, int count, cli_id_fn one,
                     void *arg)
{
    int result;
    size_t i;
    json_t *id;
    CLEANUP_JSON json_t *named = json_object();
    CLEANUP_JSON json_t *ids = collect(cli, like, words, count, named, &result);
    if (ids == NULL)
        return result;
    CLEANUP_JSON json_t *documents =
        cli->json && !is_plain(cli, words, count) ? json_array() : NULL;
    cli->documents = documents;
    json_array_foreach(ids, i, id) {
        CLEANUP_FREE char *text = cli_id_text(id);
        cli->matched = json_object_get(named, text) == NULL;
        int code = one(cli, id, arg);
        result = result == EXIT_DONE ? code : result;
    }
    if (documents != NULL)
        cli_print_json(documents);
    cli->documents = NULL;
    return result;
}

int cli_each_id(struct cli *cli, char **words, int count, cli_id_fn one, void *arg)
{
    return cli_each_id_like(cli, CLI_LIKE_ANY, words, count, one, arg);
}
