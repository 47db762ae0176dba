/* batchctl processors: the job types and their parameters. */
#include "client/grid.h"
#include "client/reply.h"
#include "client/text.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/confinement.h"

#include <string.h>

/* What confines those that are made with batchd's library (processors/README.md). */
static void print_sandbox(void)
{
    int landlock = confinement_landlock();
    CLEANUP_FREE char *files =
        landlock == 0 ? xstrdup("no landlock") : xasprintf("landlock %d", landlock);
    (void)printf("\nSandbox: %s, %sseccomp\n", files, confinement_seccomp() ? "" : "no ");
}

static void print_list(const struct cli *cli, const json_t *processors)
{
    static const char *const columns[] = {"NAME", "VERSION", "SUMMARY", NULL};
    struct libscols_table *table = grid_new(cli, columns);
    const json_t *one;
    size_t i;
    json_array_foreach(processors, i, one) {
        const char *problem = reply_text(one, "problem");
        const char *const cells[] = {reply_text(one, "name"), reply_text(one, "version"),
                                     problem[0] == '\0' ? reply_text(one, "summary") : problem,
                                     NULL};
        grid_add(table, cells);
    }
    grid_print(table);
    print_sandbox();
}

/* ---- show ---- */

#define WIDTH 80U
#define INDENT 4U

/* Characters of a word, not bytes: those that continue one in UTF-8 are left out. */
static size_t width_of(const char *word, size_t bytes)
{
    size_t width = 0;
    for (size_t i = 0; i < bytes; i++)
        width += ((unsigned char)word[i] & 0xc0U) != 0x80;
    return width;
}

/* Prints the text, broken between words where a line would be wider than WIDTH. Lines begin with
 * the indent; the first has it only when `indented`. */
static void print_wrapped(const char *text, bool indented)
{
    size_t column = WIDTH; /* so that the first word begins a line */
    CLEANUP_FREE char *tame = text_tame(xstrdup(text));
    for (const char *word = tame; *word != '\0';) {
        size_t bytes = strcspn(word, " ");
        size_t width = width_of(word, bytes);
        if (column + 1 + width > WIDTH) {
            size_t indent = indented || word != tame ? INDENT : 0;
            (void)printf("%s%*s", word == tame ? "" : "\n", (int)indent, "");
            column = indent;
        } else {
            (void)putchar(' ');
            column++;
        }
        (void)fwrite(word, 1, bytes, stdout);
        column += width;
        word += bytes;
        word += strspn(word, " ");
    }
    (void)putchar('\n');
}

/* Words with something between; the caller frees. */
static char *join(const json_t *words, const char *between)
{
    const json_t *word;
    size_t i;
    char *list = xstrdup("");
    json_array_foreach(words, i, word) {
        char *longer = xasprintf("%s%s%s", list, i == 0 ? "" : between, json_string_value(word));
        free(list);
        list = longer;
    }
    return list;
}

/* A value as a person would write it: 0.1, not 0.10000000000000001; psnr,ssim. The caller frees. */
static char *value_text(const json_t *value)
{
    if (json_is_string(value))
        return xstrdup(json_string_value(value));
    if (json_is_string(json_array_get(value, 0)))
        return join(value, ",");
    return json_is_real(value) ? xasprintf("%g", json_real_value(value))
           : value == NULL     ? xstrdup("")
                               : json_to_text(value, NULL);
}

/* "0..51", "h264, h265", or nothing. The caller frees. */
static char *allowed(const json_t *param)
{
    const json_t *min = json_object_get(param, "min");
    const json_t *max = json_object_get(param, "max");
    char *list = join(json_object_get(param, "enum"), ", ");
    if (list[0] != '\0' || (min == NULL && max == NULL))
        return list;
    CLEANUP_FREE char *from = value_text(min);
    CLEANUP_FREE char *to = value_text(max);
    free(list);
    return xasprintf("%s..%s", from, to);
}

/* "crf int (0..51; default 23)", and below it what it is for. */
static void print_param(const json_t *param)
{
    const json_t *value = json_object_get(param, "default");
    bool has_default = value != NULL && !json_is_null(value);
    bool required = json_is_true(json_object_get(param, "required"));
    CLEANUP_FREE char *range = allowed(param);
    CLEANUP_FREE char *fallback = value_text(value);
    CLEANUP_FREE char *facts = xasprintf(
        "%s%s%s%s%s", range, range[0] != '\0' && (has_default || required) ? "; " : "",
        has_default ? "default " : "", has_default ? fallback : "", required ? "required" : "");
    CLEANUP_FREE char *line =
        xasprintf("%s %s%s%s%s", reply_text(param, "name"), reply_text(param, "type"),
                  facts[0] == '\0' ? "" : " (", facts, facts[0] == '\0' ? "" : ")");
    print_wrapped(line, false);
    if (reply_text(param, "help")[0] != '\0')
        print_wrapped(reply_text(param, "help"), true);
}

/* `--param input=INPUT`, or with the value of its example; the caller frees. */
static char *example_of(const json_t *param)
{
    const json_t *given = json_object_get(param, "example");
    CLEANUP_FREE char *name = text_tame(xstrdup(reply_text(param, "name")));
    CLEANUP_FREE char *value = given == NULL ? xstrdup(name) : text_tame(value_text(given));
    for (char *at = value; given == NULL && *at != '\0'; at++)
        *at = (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
    CLEANUP_FREE char *pair = xasprintf("%s=%s", name, value);
    CLEANUP_FREE char *quoted = text_quoted(pair);
    return xasprintf("--param %s", quoted);
}

/* With what has to be given, what is written, and what has an example; long lines go on behind a
 * backslash. */
static void print_example(const char *type, const json_t *params)
{
    const json_t *param;
    size_t i;
    size_t column = (size_t)printf("\nExample: batchctl submit --type %s", type) - 1;
    json_array_foreach(params, i, param) {
        if (!json_is_true(json_object_get(param, "required")) &&
            json_object_get(param, "example") == NULL &&
            strcmp(reply_text(param, "access"), "write") != 0)
            continue;
        CLEANUP_FREE char *words = example_of(param);
        bool fits = column + 1 + strlen(words) + 2 <= WIDTH;
        column = fits ? column : 0;
        column += (size_t)printf("%s%s", fits ? " " : " \\\n    ", words);
    }
    (void)putchar('\n');
}

static void print_one(const json_t *processor)
{
    const json_t *param;
    size_t i;
    CLEANUP_FREE char *name = text_tame(xstrdup(reply_text(processor, "name")));
    CLEANUP_FREE char *title = xasprintf("%s %s: %s", name, reply_text(processor, "version"),
                                         reply_text(processor, "summary"));
    CLEANUP_FREE char *program = text_tame(xstrdup(reply_text(processor, "program")));
    CLEANUP_FREE char *licence = text_tame(xstrdup(reply_text(processor, "licence")));
    print_wrapped(title, false);
    (void)printf("program: %s\nlicence: %s\n\n", program, licence);
    json_array_foreach(json_object_get(processor, "params"), i, param)
        print_param(param);
    print_example(name, json_object_get(processor, "params"));
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
    else if (cli->quiet)
        grid_print_names(processors, "name");
    else if (json_array_size(processors) > 0)
        print_list(cli, processors);
    else
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
        print_one(json_object_get(reply, "processor"));
    return 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
    int operand = cli_operands(cli, argc, argv);
    if (operand < 0)
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
                                     .help =
                                         "The job types, their parameters and what confines them",
                                     .example = "batchctl processors show video",
                                     .options = no_options,
                                     .run = run};
