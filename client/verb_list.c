/* batchctl list. */
#include "client/job_table.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"
#include "common/words.h"

#include <string.h>
#include <time.h>

#define WATCH_S 2
#define LIST_PAGE 250L /* so that others are served between two */

struct list_request {
    json_t *parameters;
    const char *format;
    const char *sort;           /* NULL: as they come, by id */
    struct column_list columns; /* none: those of the format */
    long limit;                 /* 0: all */
    bool header, watch;
    char **words; /* the operands */
    int word_count;
};

void cli_put_states(json_t *parameters, const char *list)
{
    json_t *states = json_array();
    CLEANUP_FREE char *copy = xstrdup(list);
    char *rest = NULL;
    for (char *word = strtok_r(copy, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest))
        (void)json_array_append_new(states, json_string(word));
    json_put(parameters, "states", states);
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
    const int found = words_find(formats, sizeof(formats) / sizeof(formats[0]), value);
    if (found >= 0) {
        request->format = formats[found];
        return 0;
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

static int take_option(void *arg, const char *name, const char *value)
{
    struct list_request *request = arg;
    struct error err;
    uint64_t number;
    if (strcmp(name, "state") == 0) {
        cli_put_states(request->parameters, value);
        return 0;
    }
    if (strcmp(name, "since") == 0 || strcmp(name, "until") == 0)
        return take_time(request->parameters, name, value);
    if (strcmp(name, "output") == 0)
        return take_format(request, value);
    if (strcmp(name, "tag") == 0)
        return take_tag(request->parameters, value);
    if (strcmp(name, "columns") == 0)
        return columns_choose(value, &request->columns);
    if (strcmp(name, "sort") == 0) {
        request->sort = value;
        return columns_sort(NULL, NULL, value); /* whether there are such */
    } else if (strcmp(name, "watch") == 0) {
        request->watch = true;
    } else if (strcmp(name, "limit") == 0) {
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

/* Reports what was asked for by its id and is not there. 0, or the exit code. */
static int report_missing(const json_t *missing)
{
    size_t i;
    const json_t *id;
    int code = 0;
    json_array_foreach((json_t *)(uintptr_t)missing, i, id)
        code = cli_fail(EXIT_NO_SUCH, i == 0 ? "batchctl list --all" : NULL, "no job %lld",
                        json_integer_value(id));
    return code;
}

int cli_list_pages(struct cli *cli, json_t *parameters, long limit, cli_page_fn take, void *arg,
                   int *ret_missing)
{
    int code = 0;
    long given = 0;
    *ret_missing = 0;
    for (bool more = true; more;) {
        long left = limit == 0 ? LIST_PAGE : limit - given;
        json_put_int(parameters, "limit", left < LIST_PAGE ? left : LIST_PAGE);
        CLEANUP_JSON json_t *reply =
            cli_call(cli, "io.batchd.Jobs.List", json_deep_copy(parameters), &code);
        if (reply == NULL)
            return code;
        const json_t *jobs = json_object_get(reply, "jobs");
        if (*ret_missing == 0)
            *ret_missing = report_missing(json_object_get(reply, "missing"));
        given += (long)json_array_size(jobs);
        const json_t *next = json_object_get(reply, "next");
        json_put_int(parameters, "after_id", json_integer_value(next));
        json_t *index = json_object_get(reply, "next_index");
        json_put(parameters, "after_index", index == NULL ? json_null() : json_incref(index));
        more = take(arg, jobs) && json_is_integer(next) && (limit == 0 || given < limit);
    }
    return 0;
}

static bool keep_page(void *arg, const json_t *jobs)
{
    (void)json_array_extend(arg, (json_t *)(uintptr_t)jobs);
    return true;
}

int cli_list(struct cli *cli, json_t *parameters, long limit, json_t **ret_jobs)
{
    int missing;
    CLEANUP_JSON json_t *jobs = json_array();
    int code = cli_list_pages(cli, parameters, limit, keep_page, jobs, &missing);
    if (code != 0)
        return code;
    *ret_jobs = TAKE_PTR(jobs);
    return missing;
}

/* Whether jobs may be in more than one queue: then a table says in which. */
static bool has_queues(struct cli *cli)
{
    int code;
    CLEANUP_JSON json_t *reply = cli_call(cli, "io.batchd.Queues.List", NULL, &code);
    return json_array_size(json_object_get(reply, "queues")) > 1;
}

static void print_table(struct cli *cli, const json_t *jobs, const struct list_request *request)
{
    struct column_list columns = request->columns;
    bool table = strcmp(request->format, "table") == 0;
    if (columns.count == 0)
        columns = columns_of(request->format, table && has_queues(cli));
    job_table_print(cli, stdout, jobs, &columns, strcmp(request->format, "tsv") == 0,
                    request->header);
}

static void print_list(struct cli *cli, const json_t *jobs, const struct list_request *request)
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
        print_table(cli, jobs, request);
    } else {
        (void)fputs("no jobs\n", stderr);
    }
}

static int fail_pattern(const struct list_request *request)
{
    return cli_fail(EXIT_NO_SUCH, NULL, "no job matches %s", request->words[0]);
}

/* What List is asked for (owned), and whether that is a pattern. NULL with *ret_code. */
static json_t *query(struct cli *cli, const struct list_request *request, bool *ret_pattern,
                     int *ret_code)
{
    CLEANUP_JSON json_t *parameters = json_deep_copy(request->parameters);
    *ret_pattern = false;
    *ret_code = 0;
    if (request->word_count > 0)
        *ret_code = cli_query(cli, parameters, request->words, request->word_count, ret_pattern);
    return *ret_code == 0 ? TAKE_PTR(parameters) : NULL;
}

/* All of them when they are to be sorted, and then cut to the limit. */
static int fetch(struct cli *cli, const struct list_request *request, json_t **ret)
{
    long limit = request->limit;
    bool pattern;
    int code;
    CLEANUP_JSON json_t *parameters = query(cli, request, &pattern, &code);
    if (parameters == NULL)
        return code;
    code = cli_list(cli, parameters, request->sort == NULL ? limit : 0, ret);
    if (*ret == NULL)
        return code;
    if (request->sort != NULL)
        (void)columns_sort(cli, *ret, request->sort);
    while (limit > 0 && (long)json_array_size(*ret) > limit)
        (void)json_array_remove(*ret, json_array_size(*ret) - 1);
    return code == 0 && pattern && json_array_size(*ret) == 0 ? fail_pattern(request) : code;
}

/* ---- page by page ---- */

struct page_printer {
    struct cli *cli;
    struct list_request request; /* its header: still to be printed */
    bool printed;
};

/* Of the formats whose lines do not depend on each other: an array may have a million tasks. */
static bool by_page(const struct cli *cli, const struct list_request *request)
{
    return !cli->json && request->sort == NULL &&
           (strcmp(request->format, "id") == 0 || strcmp(request->format, "jsonl") == 0 ||
            strcmp(request->format, "tsv") == 0);
}

static bool print_page(void *arg, const json_t *jobs)
{
    struct page_printer *printer = arg;
    if (json_array_size(jobs) == 0)
        return true;
    print_list(printer->cli, jobs, &printer->request);
    printer->request.header = false;
    printer->printed = true;
    return true;
}

static int list_pages(struct cli *cli, const struct list_request *request)
{
    struct page_printer printer = {.cli = cli, .request = *request};
    bool pattern;
    int code;
    int missing;
    CLEANUP_JSON json_t *parameters = query(cli, request, &pattern, &code);
    if (parameters == NULL)
        return code;
    code = cli_list_pages(cli, parameters, request->limit, print_page, &printer, &missing);
    if (code != 0 || missing != 0 || printer.printed)
        return code != 0 ? code : missing;
    if (pattern)
        return fail_pattern(request);
    CLEANUP_JSON json_t *none = json_array();
    print_list(cli, none, request);
    return 0;
}

static int list(struct cli *cli, const struct list_request *request)
{
    CLEANUP_JSON json_t *jobs = NULL;
    if (by_page(cli, request))
        return list_pages(cli, request);
    int code = fetch(cli, request, &jobs);
    if (jobs != NULL && (code == 0 || json_array_size(jobs) > 0 || cli->json))
        print_list(cli, jobs, request);
    return code;
}

/* The screen anew every few seconds, until it is interrupted. */
static int watch(struct cli *cli, const struct list_request *request)
{
    const struct timespec pause = {.tv_sec = WATCH_S};
    if (!cli->tty)
        return cli_fail(EXIT_USAGE, "batchctl events --json", "--watch is for a terminal");
    for (;;) {
        (void)fputs("\033[H\033[J", stdout);
        int code = list(cli, request);
        if (code != 0 && code != EXIT_NO_SUCH)
            return code;
        (void)fflush(stdout);
        (void)nanosleep(&pause, NULL);
    }
}

static int run_list(struct cli *cli, int argc, char **argv)
{
    CLEANUP_JSON json_t *parameters = json_object();
    struct list_request request = {
        .parameters = parameters, .format = cli->quiet ? "id" : "table", .header = true};
    int operand = 1;
    int code = cli_options(cli, argc, argv, take_option, &request, &operand);
    if (code != 0)
        return code;
    request.words = argv + operand;
    request.word_count = argc - operand;
    if (cli->quiet && strcmp(request.format, "table") == 0)
        request.format = "id";
    return request.watch ? watch(cli, &request) : list(cli, &request);
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
    {"sort", 0, "COLUMN,...", "by these columns, -COLUMN for the largest first (default: id)"},
    {"columns", 0, "COLUMN,...", "these columns: id, state, queue, started, cpus, tags, ..."},
    {"watch", 0, NULL, "show it anew every 2 s, until ^C"},
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
