/* batchctl processors: the job types and their parameters. */
#include "client/cli.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <libsmartcols.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static struct libscols_table *new_table(const struct cli *cli, const char *const *columns)
{
    struct libscols_table *table = scols_new_table();
    if (table == NULL)
        abort();
    if (!cli->tty)
        (void)scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
    for (; *columns != NULL; columns++)
        (void)scols_table_new_column(table, *columns, 0,
                                     cli->tty && columns[1] == NULL ? SCOLS_FL_WRAP : 0);
    return table;
}

static void add_line(struct libscols_table *table, const char *const *cells)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    if (line == NULL)
        abort();
    for (size_t i = 0; cells[i] != NULL; i++)
        (void)scols_line_set_data(line, i, cells[i]);
}

static void print_list(const struct cli *cli, const json_t *processors)
{
    static const char *const columns[] = {"NAME", "VERSION", "SUMMARY", NULL};
    struct libscols_table *table = new_table(cli, columns);
    const json_t *one;
    size_t i;
    json_array_foreach(processors, i, one) {
        const char *problem = text_of(one, "problem");
        const char *const cells[] = {text_of(one, "name"), text_of(one, "version"),
                                     problem[0] == '\0' ? text_of(one, "summary") : problem, NULL};
        add_line(table, cells);
    }
    (void)scols_print_table(table);
    scols_unref_table(table);
}

/* "from 0 to 51", "h264, h265", or nothing. */
static char *allowed(const json_t *param)
{
    const json_t *min = json_object_get(param, "min");
    const json_t *max = json_object_get(param, "max");
    const json_t *word;
    size_t i;
    char *list = xstrdup("");
    json_array_foreach(json_object_get(param, "enum"), i, word) {
        char *longer = xasprintf("%s%s%s", list, i == 0 ? "" : " ", json_string_value(word));
        free(list);
        list = longer;
    }
    if (list[0] != '\0' || (min == NULL && max == NULL))
        return list;
    CLEANUP_FREE char *from = min == NULL ? xstrdup("") : json_to_text(min, NULL);
    CLEANUP_FREE char *to = max == NULL ? xstrdup("") : json_to_text(max, NULL);
    free(list);
    return xasprintf("%s..%s", from, to);
}

static void add_param(struct libscols_table *table, const json_t *param)
{
    const json_t *value = json_object_get(param, "default");
    CLEANUP_FREE char *range = allowed(param);
    CLEANUP_FREE char *other =
        json_is_string(value) || value == NULL ? NULL : json_to_text(value, NULL);
    const char *fallback = json_is_string(value) ? json_string_value(value)
                           : other != NULL       ? other
                           : json_is_true(json_object_get(param, "required")) ? "(required)"
                                                                              : "";
    const char *const cells[] = {text_of(param, "name"),
                                 text_of(param, "type"),
                                 fallback,
                                 range,
                                 text_of(param, "help"),
                                 NULL};
    add_line(table, cells);
}

static void print_one(const struct cli *cli, const json_t *processor)
{
    static const char *const columns[] = {"PARAMETER", "TYPE", "DEFAULT", "ALLOWED", "HELP", NULL};
    struct libscols_table *table = new_table(cli, columns);
    const json_t *param;
    size_t i;
    (void)printf("%s %s: %s\nprogram: %s\nlicence: %s\n\n", text_of(processor, "name"),
                 text_of(processor, "version"), text_of(processor, "summary"),
                 text_of(processor, "program"), text_of(processor, "licence"));
    json_array_foreach(json_object_get(processor, "params"), i, param)
        add_param(table, param);
    (void)scols_print_table(table);
    scols_unref_table(table);
    (void)printf("\nExample: batchctl submit --type %s --param NAME=VALUE ...\n",
                 text_of(processor, "name"));
}

static int list(struct cli *cli)
{
    int code = 0;
    CLEANUP_JSON json_t *reply = cli_call(cli, "io.batchd.Processors.List", NULL, &code);
    if (reply == NULL)
        return code;
    const json_t *processors = json_object_get(reply, "processors");
    if (cli->json)
        cli_print_json(processors);
    else if (json_array_size(processors) > 0)
        print_list(cli, processors);
    else if (!cli->quiet)
        (void)fprintf(stderr, "no processor is installed\n");
    return 0;
}

static int show(struct cli *cli, const char *name)
{
    int code = 0;
    CLEANUP_JSON json_t *reply =
        cli_call(cli, "io.batchd.Processors.Show", json_pack("{ss}", "name", name), &code);
    if (reply == NULL)
        return code;
    if (cli->json)
        cli_print_json(json_object_get(reply, "processor"));
    else
        print_one(cli, json_object_get(reply, "processor"));
    return 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
    const char *value = NULL;
    bool failed = false;
    int operand = 1;
    (void)cli_next(cli, argc, argv, &value, &failed, &operand);
    if (failed)
        return EXIT_USAGE;
    int count = argc - operand;
    char **words = argv + operand;
    if (count == 0 || (count == 1 && strcmp(words[0], "list") == 0))
        return list(cli);
    if (count == 2 && strcmp(words[0], "show") == 0)
        return show(cli, words[1]);
    return cli_fail(EXIT_USAGE, cli->verb->example, "processors takes list or show NAME");
}

static const struct cli_option no_options[] = {{NULL, 0, NULL, NULL}};
const struct verb verb_processors = {.name = "processors",
                                     .arguments = "[list | show NAME]",
                                     .help = "The job types and their parameters",
                                     .example = "batchctl processors show video",
                                     .options = no_options,
                                     .run = run};
