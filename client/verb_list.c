/* batchctl list. */
#include "client/table.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <string.h>

struct list_request {
    json_t *parameters;
    const char *format;
    long limit; /* 0: all */
    bool header;
};

static int take_states(json_t *parameters, const char *value)
{
    json_t *states = json_array();
    CLEANUP_FREE char *copy = xstrdup(value);
    char *rest = NULL;
    for (char *word = strtok_r(copy, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest))
        (void)json_array_append_new(states, json_string(word));
    json_put(parameters, "states", states);
    return 0;
}

static int take_time(json_t *parameters, const char *name, const char *value)
{
    struct error err;
    int64_t at;
    if (parse_time(value, clock_wall_us(), 0, &at, &err) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: %s", name, err.text);
    json_put_int(parameters, strcmp(name, "since") == 0 ? "since_us" : "until_us", at);
    return 0;
}

static int take_format(struct list_request *request, const char *value)
{
    static const char *const formats[] = {"table", "wide", "json", "jsonl", "tsv", "id"};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(value, formats[i]) == 0) {
            request->format = formats[i];
            return 0;
        }
    }
    return cli_fail(EXIT_USAGE, NULL, "--output \"%s\" must be table, wide, json, jsonl, tsv or id",
                    value);
}

static int take_tag(json_t *parameters, const char *value)
{
    const char *equals = strchr(value, '=');
    if (equals == NULL || equals == value)
        return cli_fail(EXIT_USAGE, NULL, "--tag \"%s\" must be KEY=VALUE", value);
    json_t *tags = json_object_get(parameters, "tags");
    CLEANUP_FREE char *name = xmemdup(value, (size_t)(equals - value));
    if (tags == NULL) {
        tags = json_object();
        json_put(parameters, "tags", tags);
    }
    json_put_text(tags, name, equals + 1);
    return 0;
}

static int take_option(struct list_request *request, const char *name, const char *value)
{
    struct error err;
    uint64_t number;
    if (strcmp(name, "state") == 0)
        return take_states(request->parameters, value);
    if (strcmp(name, "since") == 0 || strcmp(name, "until") == 0)
        return take_time(request->parameters, name, value);
    if (strcmp(name, "output") == 0)
        return take_format(request, value);
    if (strcmp(name, "tag") == 0)
        return take_tag(request->parameters, value);
    if (strcmp(name, "limit") == 0) {
        if (parse_u64(value, 1, 100000000, &number, &err) < 0)
            return cli_fail(EXIT_USAGE, NULL, "--limit: %s", err.text);
        request->limit = (long)number;
    } else if (strcmp(name, "no-header") == 0) {
        request->header = false;
    } else if (value == NULL) {
        json_put(request->parameters, name, json_true());
    } else {
        json_put_text(request->parameters, name, value);
    }
    return 0;
}

int cli_list(struct cli *cli, json_t *parameters, long limit, json_t **ret_jobs)
{
    int code = 0;
    CLEANUP_JSON json_t *jobs = json_array();
    for (;;) {
        long left = limit == 0 ? 1000 : limit - (long)json_array_size(jobs);
        json_put_int(parameters, "limit", left < 1000 ? left : 1000);
        CLEANUP_JSON json_t *reply =
            cli_call(cli, "io.batchd.Jobs.List", json_deep_copy(parameters), &code);
        if (reply == NULL)
            return code;
        (void)json_array_extend(jobs, json_object_get(reply, "jobs"));
        const json_t *next = json_object_get(reply, "next");
        if (!json_is_integer(next) || (limit > 0 && (long)json_array_size(jobs) >= limit))
            break;
        json_put_int(parameters, "after_id", json_integer_value(next));
        json_t *index = json_object_get(reply, "next_index");
        json_put(parameters, "after_index", index == NULL ? json_null() : json_incref(index));
    }
    *ret_jobs = TAKE_PTR(jobs);
    return 0;
}

static void print_list(const struct cli *cli, const json_t *jobs,
                       const struct list_request *request)
{
    const json_t *job;
    size_t i;
    bool ids = strcmp(request->format, "id") == 0;
    if (cli->json || strcmp(request->format, "json") == 0) {
        cli_print_json(jobs);
    } else if (ids || strcmp(request->format, "jsonl") == 0) {
        json_array_foreach((json_t *)(uintptr_t)jobs, i, job) {
            CLEANUP_FREE char *id = cli_id_text(job);
            if (ids)
                (void)printf("%s\n", id);
            else
                cli_print_json(job);
        }
    } else if (json_array_size(jobs) > 0 || !cli->tty) {
        table_print_jobs(cli, jobs, request->format, request->header);
    } else {
        (void)fputs("no jobs\n", stderr);
    }
}

static int run_list(struct cli *cli, int argc, char **argv)
{
    CLEANUP_JSON json_t *parameters = json_object();
    CLEANUP_JSON json_t *jobs = NULL;
    struct list_request request = {
        .parameters = parameters, .format = cli->quiet ? "id" : "table", .header = true};
    const char *name;
    const char *value = NULL;
    bool failed = false;
    int operand = 1;
    int code = 0;
    while ((name = cli_next(cli, argc, argv, &value, &failed, &operand)) != NULL) {
        code = take_option(&request, name, value);
        if (code != 0)
            return code;
    }
    if (failed)
        return EXIT_USAGE;
    if (operand < argc) {
        json_t *ids = cli_ids(cli, argv + operand, argc - operand, &code);
        if (ids == NULL)
            return code;
        json_put(parameters, "ids", ids);
    }
    if (cli->quiet && strcmp(request.format, "table") == 0)
        request.format = "id";
    code = cli_list(cli, parameters, request.limit, &jobs);
    if (code == 0)
        print_list(cli, jobs, &request);
    return code;
}

static const struct cli_option list_options[] = {
    {"state", 's', "STATE,...", "only in these states"},
    {"user", 'u', "NAME", "only this user's"},
    {"name", 0, "GLOB", "only with such a name"},
    {"queue", 'Q', "NAME", "only in this queue"},
    {"tag", 0, "KEY=VALUE", "only with this mark"},
    {"since", 0, "TIME", "submitted since then"},
    {"until", 0, "TIME", "submitted until then"},
    {"all", 0, NULL, "also what ended over a day ago"},
    {"newest", 0, NULL, "newest first"},
    {"tasks", 0, NULL, "arrays task by task; 42_[1-3] names some"},
    {"limit", 0, "N", "at most N"},
    {"output", 'o', "FORMAT", "table, wide, json, jsonl, tsv or id (default: table)"},
    {"no-header", 0, NULL, "without the line of column names"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_list = {.name = "list",
                               .alias = "ls",
                               .arguments = "[ID...]",
                               .tasks = CLI_TASKS_SETS,
                               .help =
                                   "List jobs: what has not ended, and what ended in the last day",
                               .example = "batchctl list -s failed --since today",
                               .options = list_options,
                               .run = run_list};
