/* batchctl stats: what happened to jobs, in sums, and how well their length was predicted. */
#include "client/grid.h"
#include "client/machine_table.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <string.h>

#define CELL_BYTES 32

/* "1m30s" for a number of milliseconds, "-" for null. */
static const char *span_cell(const json_t *object, const char *key, char ret[CELL_BYTES])
{
    const json_t *value = json_object_get(object, key);
    if (json_is_number(value))
        format_span((uint64_t)(json_number_value(value) + 0.5), ret, CELL_BYTES);
    return json_is_number(value) ? ret : "-";
}

static const char *count_cell(const json_t *object, const char *key, char ret[CELL_BYTES])
{
    (void)snprintf(ret, CELL_BYTES, "%lld",
                   (long long)json_number_value(json_object_get(object, key)));
    return ret;
}

static const char *percent_cell(const json_t *object, const char *key, const char *format,
                                char ret[CELL_BYTES])
{
    const json_t *value = json_object_get(object, key);
    if (json_is_number(value) && strcmp(format, "+") == 0)
        (void)snprintf(ret, CELL_BYTES, "%+.0f%%", json_number_value(value));
    else if (json_is_number(value))
        (void)snprintf(ret, CELL_BYTES, "%.0f%%", json_number_value(value));
    return json_is_number(value) ? ret : "-";
}

static const char *text_cell(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "-" : text;
}

/* ---- all together ---- */

static void print_spans(const json_t *sum, const char *key, const char *mean_key)
{
    char cells[4][CELL_BYTES];
    const json_t *spans = json_object_get(sum, key);
    if (json_is_object(spans))
        (void)printf("%s: half within %s, 90%% within %s, 99%% within %s; mean %s\n", key,
                     span_cell(spans, "p50_ms", cells[0]), span_cell(spans, "p90_ms", cells[1]),
                     span_cell(spans, "p99_ms", cells[2]), span_cell(sum, mean_key, cells[3]));
}

static void print_summary(const json_t *sum)
{
    char cells[9][CELL_BYTES];
    (void)printf("in %s: %s submitted, %s started, %s completed, %s failed, %s cancelled",
                 span_cell(sum, "span_ms", cells[0]), count_cell(sum, "submitted", cells[1]),
                 count_cell(sum, "started", cells[2]), count_cell(sum, "completed", cells[3]),
                 count_cell(sum, "failed", cells[4]), count_cell(sum, "cancelled", cells[5]));
    if (json_is_number(json_object_get(sum, "per_hour")))
        (void)printf("; %.1f an hour", json_number_value(json_object_get(sum, "per_hour")));
    (void)printf("\nsuccess: %s; tried again: %s (%s of the starts)\n",
                 percent_cell(sum, "success_percent", "", cells[6]),
                 count_cell(sum, "retried", cells[7]),
                 percent_cell(sum, "retry_percent", "", cells[8]));
    print_spans(sum, "wait", "wait_ms");
    print_spans(sum, "run", "run_ms");
}

static void print_depth(const json_t *depth)
{
    const json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)depth, i, one) {
        (void)printf("%s%s %s %lld", i == 0 ? "waiting: " : ", ", text_cell(one, "queue"),
                     text_cell(one, "priority"),
                     (long long)json_integer_value(json_object_get(one, "waiting")));
    }
    if (i > 0)
        (void)printf("\n");
}

/* ---- by queue, type or user; by name ---- */

static void print_rates(const struct cli *cli, const json_t *totals, const char *by,
                        const char *head)
{
    char cells[10][CELL_BYTES];
    const json_t *one;
    size_t i;
    const char *const columns[] = {head,        ">COMPLETED", ">FAILED",  ">CANCELLED",
                                   ">RETRIED",  ">AN HOUR",   ">SUCCESS", ">WAIT 50%",
                                   ">WAIT 99%", ">RUN 50%",   ">RUN 99%", NULL};
    struct libscols_table *table = grid_new(cli, columns);
    json_array_foreach((json_t *)(uintptr_t)totals, i, one) {
        const json_t *wait = json_object_get(one, "wait");
        const json_t *run = json_object_get(one, "run");
        const char *const line[] = {text_cell(one, by),
                                    count_cell(one, "completed", cells[0]),
                                    count_cell(one, "failed", cells[1]),
                                    count_cell(one, "cancelled", cells[2]),
                                    count_cell(one, "retried", cells[3]),
                                    count_cell(one, "per_hour", cells[4]),
                                    percent_cell(one, "success_percent", "", cells[5]),
                                    span_cell(wait, "p50_ms", cells[6]),
                                    span_cell(wait, "p99_ms", cells[7]),
                                    span_cell(run, "p50_ms", cells[8]),
                                    span_cell(run, "p99_ms", cells[9]),
                                    NULL};
        grid_add(table, line);
    }
    grid_print(table);
}

static void print_totals(const struct cli *cli, const json_t *totals, const char *by)
{
    char head[CELL_BYTES];
    char cells[5][CELL_BYTES];
    const json_t *one;
    size_t i;
    (void)snprintf(head, sizeof(head), "%s", by);
    for (char *c = head; *c != '\0'; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    if (strcmp(by, "name") != 0) {
        print_rates(cli, totals, by, head);
        return;
    }
    const char *const columns[] = {head,         ">COMPLETED", ">FAILED", ">CANCELLED",
                                   ">MEAN WAIT", ">MEAN RUN",  NULL};
    struct libscols_table *table = grid_new(cli, columns);
    json_array_foreach((json_t *)(uintptr_t)totals, i, one) {
        const char *const line[] = {text_cell(one, by),
                                    count_cell(one, "completed", cells[0]),
                                    count_cell(one, "failed", cells[1]),
                                    count_cell(one, "cancelled", cells[2]),
                                    span_cell(one, "wait_ms", cells[3]),
                                    span_cell(one, "run_ms", cells[4]),
                                    NULL};
        grid_add(table, line);
    }
    grid_print(table);
}

static void print_estimates(const struct cli *cli, const json_t *estimates)
{
    static const char *const columns[] = {"USER",   "OF",          "NAME",  ">RUNS", ">ESTIMATE",
                                          ">ERROR", ">MEAN ERROR", ">BIAS", NULL};
    char cells[5][CELL_BYTES];
    const json_t *one;
    size_t i;
    struct libscols_table *table = grid_new(cli, columns);
    json_array_foreach((json_t *)(uintptr_t)estimates, i, one) {
        const char *const line[] = {text_cell(one, "user"),
                                    text_cell(one, "kind"),
                                    text_cell(one, "name"),
                                    count_cell(one, "runs", cells[0]),
                                    span_cell(one, "estimate_ms", cells[1]),
                                    percent_cell(one, "error_percent", "", cells[2]),
                                    span_cell(one, "error_ms", cells[3]),
                                    percent_cell(one, "bias_percent", "+", cells[4]),
                                    NULL};
        grid_add(table, line);
    }
    (void)printf("\nestimates (half of the last runs were within ERROR of the prediction; "
                 "BIAS +: predicted too long):\n");
    grid_print(table);
}

static int take_option(void *arg, const char *name, const char *value)
{
    json_t *parameters = arg;
    struct error err;
    int64_t at;
    if (strcmp(name, "by") == 0) {
        json_put_text(parameters, "by", value);
        return 0;
    }
    if (strcmp(name, "machine") == 0) {
        json_put(parameters, "machine", json_true());
        return 0;
    }
    if (parse_time(value, clock_wall_us(), 0, &at, &err) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--since: %s", err.text);
    json_put_int(parameters, "since_us", at);
    return 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
    CLEANUP_JSON json_t *parameters = json_object();
    int operand = 1;
    int code = 0;
    code = cli_options(cli, argc, argv, take_option, parameters, &operand);
    if (code != 0)
        return code;
    if (operand < argc)
        return cli_fail(EXIT_USAGE, cli->verb->example, "stats takes no \"%s\"", argv[operand]);
    CLEANUP_JSON json_t *reply =
        cli_call(cli, "io.batchd.Server.Stats", json_incref(parameters), &code);
    if (reply == NULL)
        return code;
    const json_t *totals = json_object_get(reply, "totals");
    const json_t *estimates = json_object_get(reply, "estimates");
    if (cli->json) {
        cli_print_json(reply);
    } else if (json_array_size(totals) == 0) {
        (void)fputs("nothing has ended\n", stderr);
    } else {
        if (!cli->quiet) {
            print_summary(json_object_get(reply, "summary"));
            print_depth(json_object_get(reply, "depth"));
            (void)printf("\n");
        }
        print_totals(cli, totals, json_string_value(json_object_get(reply, "by")));
        if (json_array_size(estimates) > 0 && !cli->quiet)
            print_estimates(cli, estimates);
    }
    if (!cli->json && json_array_size(json_object_get(reply, "machine")) > 0)
        machine_table_print(cli, json_object_get(reply, "machine"));
    return EXIT_DONE;
}

static const struct cli_option options[] = {
    {"since", 0, "TIME",
     "only what happened since then, from the beginning of that minute (default: all that is kept)"},
    {"machine", 0, NULL, "what the machine was like, too, minute by minute of the last day"},
    {"by", 0, "FIELD", "user, queue, name or type (default: name)"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_stats = {.name = "stats",
                                .arguments = "",
                                .help = "What happened to jobs, how long they waited and ran, and "
                                        "how well that was predicted",
                                .example = "batchctl stats --since today --by user",
                                .options = options,
                                .run = run};
