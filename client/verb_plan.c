/* batchctl plan: who starts when, by estimates. */
#include "client/grid.h"
#include "client/reply.h"
#include "client/times.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <string.h>

#define LIMIT_MAX 10000U

/* "42", "42_7", or "42_*" with the number of its tasks: the caller frees. */
static char *id_text(const json_t *line)
{
    long long tasks = json_integer_value(json_object_get(line, "tasks"));
    if (tasks > 0)
        return xasprintf("%lld (%lld task%s)", json_integer_value(json_object_get(line, "id")),
                         tasks, tasks == 1 ? "" : "s");
    return cli_id_text(line);
}

/* Its reasons when nobody can say when it starts. The caller frees. */
static char *note_text(const json_t *line)
{
    const json_t *reason;
    size_t i;
    char *text = xstrdup("");
    if (json_is_integer(json_object_get(line, "predicted_start")))
        return text;
    json_array_foreach((json_t *)(uintptr_t)json_object_get(line, "reasons"), i, reason) {
        char *longer = xasprintf("%s%s%s", text, i == 0 ? "" : ",", json_string_value(reason));
        free(text);
        text = longer;
    }
    return text;
}

static void add_line(struct libscols_table *table, const json_t *line)
{
    int64_t start = json_integer_value(json_object_get(line, "started_at"));
    int64_t end = json_integer_value(json_object_get(line, "predicted_end"));
    bool started = start != 0;
    if (!started)
        start = json_integer_value(json_object_get(line, "predicted_start"));
    CLEANUP_FREE char *id = id_text(line);
    CLEANUP_FREE char *from = start == 0 ? xstrdup("-") : times_clock(start);
    CLEANUP_FREE char *to = end == 0 ? xstrdup("-") : times_clock(end);
    CLEANUP_FREE char *in =
        start == 0 || started ? xstrdup("-") : times_span(start - clock_wall_us());
    CLEANUP_FREE char *note = note_text(line);
    const char *const cells[] = {id,
                                 reply_text(line, "state"),
                                 reply_text(line, "priority"),
                                 reply_text(line, "user"),
                                 reply_text(line, "queue"),
                                 from,
                                 in,
                                 to,
                                 note,
                                 reply_text(line, "name"),
                                 NULL};
    grid_add(table, cells);
}

static void print_plan(const struct cli *cli, const json_t *jobs, const json_t *last)
{
    static const char *const columns[] = {">ID", "STATE", "PRIORITY", "USER", "QUEUE", "START",
                                          ">IN", "END",   "REASONS",  "NAME", NULL};
    const json_t *line;
    size_t i;
    struct libscols_table *table = grid_new(cli, columns);
    json_array_foreach((json_t *)(uintptr_t)jobs, i, line)
        add_line(table, line);
    grid_print(table);
    if (cli->quiet)
        return;
    if (json_is_false(json_object_get(last, "complete")))
        (void)fputs("batchctl: there are too many jobs to look further ahead\n", stderr);
    else if (json_is_true(json_object_get(last, "more")))
        (void)fprintf(stderr, "batchctl: these are the first %zu; --limit gives more\n", i);
}

static int take_option(void *arg, const char *name, const char *value)
{
    json_t *parameters = arg;
    struct error err;
    uint64_t number;
    if (strcmp(name, "limit") != 0) {
        json_put_text(parameters, name, value);
        return 0;
    }
    if (parse_u64(value, 1, LIMIT_MAX, &number, &err) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--limit: %s", err.text);
    json_put_int(parameters, "limit", (int64_t)number);
    return 0;
}

static int add_part(void *arg, const json_t *part)
{
    return json_array_extend(arg, json_object_get(part, "jobs"));
}

/* The last reply, and all lines in `jobs`; NULL after reporting, with *ret_code. */
static json_t *ask(struct cli *cli, json_t *parameters, json_t *jobs, int *ret_code)
{
    struct error err;
    *ret_code = cli_connect(cli);
    if (*ret_code != 0) {
        json_decref(parameters);
        return NULL;
    }
    json_t *last =
        batchd_stream(cli->client, "io.batchd.Jobs.Plan", parameters, add_part, jobs, &err);
    if (last == NULL)
        *ret_code = cli_fail_error(cli, &err);
    return last;
}

static int run(struct cli *cli, int argc, char **argv)
{
    CLEANUP_JSON json_t *parameters = json_object();
    int operand = 1;
    int code = 0;
    json_put_int(parameters, "limit", LIMIT_MAX);
    code = cli_options(cli, argc, argv, take_option, parameters, &operand);
    if (code != 0)
        return code;
    if (operand < argc)
        return cli_fail(EXIT_USAGE, "batchctl why ID", "plan takes no \"%s\"", argv[operand]);
    CLEANUP_JSON json_t *jobs = json_array();
    CLEANUP_JSON json_t *last = ask(cli, json_incref(parameters), jobs, &code);
    if (last == NULL)
        return code;
    if (cli->json)
        cli_print_json(jobs);
    else if (json_array_size(jobs) == 0)
        (void)fputs("nothing runs or waits\n", stderr);
    else
        print_plan(cli, jobs, last);
    return EXIT_DONE;
}

static const struct cli_option options[] = {
    {"queue", 'Q', "NAME", "only jobs of this queue; the others count all the same"},
    {"user", 'u', "NAME", "only this user's"},
    {"limit", 0, "N", "at most N lines, up to 10000 (default: 10000)"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_plan = {.name = "plan",
                               .arguments = "",
                               .help = "Who starts and ends when, by estimates",
                               .example = "batchctl plan -Q default",
                               .options = options,
                               .run = run};
