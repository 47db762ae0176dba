#include "client/cli.h"

#include "client/text.h"

#include "common/alloc.h"
#include "common/base64.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"
#include "common/suggest.h"

#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#define OPTIONS_MAX ((size_t)96)
#define TABLES 3
/* A daemon that went away is looked for so long, unless --timeout says otherwise; between two tries
 * to connect there is a pause that doubles. */
#define PATIENCE_US (15 * US_PER_SECOND)
#define FIRST_PAUSE_US (10 * US_PER_MS)
#define LONGEST_PAUSE_US US_PER_SECOND

const struct cli_option cli_global_options[] = {
    {"socket", 0, "PATH", "speak to the daemon at this socket"},
    {"timeout", 0, "SPAN", "give up when the daemon does not answer in this time"},
    {"json", 0, NULL, "print JSON"},
    {"quiet", 'q', NULL, "print only what is needed"},
    {"color", 0, "WHEN", "auto, always or never (default: auto, on a terminal without NO_COLOR)"},
    {"no-pager", 0, NULL, "accepted; nothing is paged"},
    {"version", 0, NULL, "print batchctl's version"},
    {"help", 'h', NULL, "print this"},
    {NULL, 0, NULL, NULL},
};

/* ---- errors ---- */

int cli_fail(int code, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("batchctl: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    if (hint != NULL)
        (void)fprintf(stderr, "hint: %s\n", hint);
    return code;
}

/* The remote error's name to our exit code; what is not listed was understood and refused. */
static int code_of_name(const char *name)
{
    static const struct {
        const char *name;
        int code;
    } codes[] = {
        {"io.batchd.NoSuchJob", EXIT_NO_SUCH},
        {"io.batchd.NoSuchQueue", EXIT_NO_SUCH},
        {"io.batchd.NoSuchType", EXIT_NO_SUCH},
        {"io.batchd.NoSuchSchedule", EXIT_NO_SUCH},
        {"io.batchd.NoSuchBreaker", EXIT_NO_SUCH},
        {"io.batchd.QuotaExceeded", EXIT_DENIED},
        {"org.varlink.service.PermissionDenied", EXIT_DENIED},
        {"org.varlink.service.MethodNotFound", EXIT_PROTOCOL},
        {"org.varlink.service.InvalidParameter", EXIT_PROTOCOL},
        {"org.varlink.service.ExpectedMore", EXIT_PROTOCOL},
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(codes[i].name, name) == 0)
            return codes[i].code;
    }
    return EXIT_REFUSED;
}

int cli_fail_error(const struct cli *cli, const struct error *err)
{
    const char *name = cli->client == NULL ? NULL : batchd_error_name(cli->client);
    if (name != NULL) {
        const json_t *parameters = batchd_error_parameters(cli->client);
        CLEANUP_FREE char *hint =
            text_tame(xstrdup(json_string_value(json_object_get(parameters, "hint"))));
        CLEANUP_FREE char *text = text_tame(xstrdup(err->text));
        return cli_fail(code_of_name(name), hint, "%s", text);
    }
    if (err->code == ERROR_UNREACHABLE)
        return cli_fail(EXIT_UNREACHABLE, "start it with: batchd --user &", "%s", err->text);
    if (err->code == ERROR_DENIED)
        return cli_fail(EXIT_DENIED, NULL, "%s", err->text);
    if (err->code == ERROR_BUSY)
        return cli_fail(EXIT_UNREACHABLE, NULL, "%s", err->text);
    return cli_fail(EXIT_PROTOCOL, NULL, "%s", err->text);
}

/* ---- options ---- */

static bool is_in(const struct cli_option *table, const struct cli_option *option)
{
    for (; table->name != NULL; table++) {
        if (table == option)
            return true;
    }
    return false;
}

/* What it takes, earlier ones before later ones of the same name; some may be NULL. */
static void tables_of(const struct verb *verb, const struct cli_option *ret[TABLES])
{
    ret[0] = verb->options;
    ret[1] = verb->also == NULL ? NULL : verb->also->options;
    ret[2] = cli_global_options;
}

static const struct cli_option *find_option(const struct verb *verb, const char *name, int letter)
{
    const struct cli_option *tables[TABLES];
    tables_of(verb, tables);
    for (size_t t = 0; t < TABLES; t++) {
        for (const struct cli_option *option = tables[t]; option != NULL && option->name != NULL;
             option++) {
            if (name != NULL ? strcmp(option->name, name) == 0 : option->letter == letter)
                return option;
        }
    }
    return NULL;
}

static void add_options(const struct cli_option *table, struct option *longs, size_t *count,
                        char *letters)
{
    for (; table != NULL && table->name != NULL && *count < OPTIONS_MAX; table++) {
        longs[(*count)++] = (struct option){.name = table->name,
                                            .has_arg = table->argument != NULL,
                                            .val = table->letter != 0 ? table->letter : 1};
        if (table->letter == 0)
            continue;
        size_t used = strlen(letters);
        letters[used++] = table->letter;
        if (table->argument != NULL)
            letters[used++] = ':';
        letters[used] = '\0';
    }
}

static int take_color(struct cli *cli, const char *value)
{
    bool always = strcmp(value, "always") == 0;
    if (!always && strcmp(value, "never") != 0 && strcmp(value, "auto") != 0)
        return cli_fail(EXIT_USAGE, NULL, "--color \"%s\" must be auto, always or never", value);
    if (strcmp(value, "auto") != 0)
        cli->color = always;
    return 0;
}

/* What is printed instead of doing anything. */
static _Noreturn void print_and_exit(const struct cli *cli, bool version)
{
    if (version)
        (void)puts("batchctl " BATCHD_VERSION);
    else
        cli_print_help(stdout, cli->verb->run == NULL ? NULL : cli->verb);
    exit(fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED);
}

/* True when it was a global option. */
static bool take_global(struct cli *cli, const struct cli_option *option, bool *ret_failed)
{
    const char *name = option->name;
    struct error err;
    if (!is_in(cli_global_options, option))
        return false;
    if (strcmp(name, "help") == 0 || strcmp(name, "version") == 0) {
        print_and_exit(cli, name[0] == 'v');
    } else if (strcmp(name, "socket") == 0) {
        cli->socket = optarg;
    } else if (strcmp(name, "json") == 0) {
        cli->json = true;
    } else if (strcmp(name, "quiet") == 0) {
        cli->quiet = true;
    } else if (strcmp(name, "color") == 0) {
        *ret_failed = take_color(cli, optarg) != 0;
    } else if (strcmp(name, "timeout") == 0 && parse_span_ms(optarg, &cli->timeout_ms, &err) < 0) {
        (void)cli_fail(EXIT_USAGE, NULL, "--timeout: %s", err.text);
        *ret_failed = true;
    }
    return true;
}

/* The hint for an option that is not there: the nearest one, else where they are listed. */
static void unknown_option(const struct verb *verb, const char *given, char *ret, size_t bytes)
{
    const char *names[2 * OPTIONS_MAX + 1] = {NULL};
    size_t count = 0;
    const struct cli_option *tables[TABLES];
    tables_of(verb, tables);
    for (size_t t = 0; t < TABLES; t++) {
        for (const struct cli_option *option = tables[t];
             option != NULL && option->name != NULL && count < 2 * OPTIONS_MAX; option++)
            names[count++] = option->name;
    }
    CLEANUP_FREE char *word = xstrdup(strncmp(given, "--", 2) == 0 ? given + 2 : "");
    word[strcspn(word, "=")] = '\0';
    const char *near = word[0] == '\0' ? NULL : suggest_word(word, names);
    if (near != NULL)
        (void)snprintf(ret, bytes, "did you mean --%s?", near);
    else
        (void)snprintf(ret, bytes, "batchctl %s%s--help", verb->run == NULL ? "" : verb->name,
                       verb->run == NULL ? "" : " ");
}

static void report_option(const struct verb *verb, int letter, const char *given)
{
    char hint[120];
    if (letter == ':') {
        (void)snprintf(hint, sizeof(hint), "batchctl %s%s--help",
                       verb->run == NULL ? "" : verb->name, verb->run == NULL ? "" : " ");
        (void)cli_fail(EXIT_USAGE, hint, "option \"%s\" of %s needs a value", given, verb->name);
        return;
    }
    unknown_option(verb, given, hint, sizeof(hint));
    (void)cli_fail(EXIT_USAGE, hint, "unknown option \"%s\" of %s", given, verb->name);
}

const char *cli_next(struct cli *cli, int argc, char **argv, const char **ret_value,
                     bool *ret_failed, int *ret_operand)
{
    struct option longs[OPTIONS_MAX + 1] = {{0}};
    char letters[2 * OPTIONS_MAX + 4];
    size_t count = 0;
    (void)snprintf(letters, sizeof(letters), "%s:", cli->verb->stop_at_operand ? "+" : "");
    const struct cli_option *tables[TABLES];
    tables_of(cli->verb, tables);
    for (size_t t = 0; t < TABLES; t++)
        add_options(tables[t], longs, &count, letters);
    for (;;) {
        int index = -1;
        int letter = getopt_long(argc, argv, letters, longs, &index);
        *ret_operand = optind;
        if (letter == -1)
            return NULL;
        if (letter == '?' || letter == ':') {
            *ret_failed = true;
            report_option(cli->verb, letter, argv[optind - 1]);
            return NULL;
        }
        const struct cli_option *option =
            find_option(cli->verb, index >= 0 ? longs[index].name : NULL, letter);
        if (option == NULL || take_global(cli, option, ret_failed)) {
            if (*ret_failed)
                return NULL;
            continue;
        }
        *ret_value = optarg;
        return option->name;
    }
}

int cli_options(struct cli *cli, int argc, char **argv, cli_take_fn take, void *arg,
                int *ret_operand)
{
    const char *name;
    const char *value = NULL;
    bool failed = false;
    while ((name = cli_next(cli, argc, argv, &value, &failed, ret_operand)) != NULL) {
        int code = take(arg, name, value);
        if (code != 0)
            return code;
    }
    return failed ? EXIT_USAGE : 0;
}

int cli_claim_input(struct cli *cli, const char *name, const char *path)
{
    if (strcmp(path, "-") != 0)
        return 0;
    if (cli->reader != NULL)
        return cli_fail(EXIT_USAGE, NULL, "--%s - and --%s -: one alone can read standard input",
                        cli->reader, name);
    cli->reader = name;
    return 0;
}

int cli_take_flag(void *arg, const char *name, const char *value)
{
    (void)name;
    (void)value;
    *(bool *)arg = true;
    return 0;
}

int cli_operands(struct cli *cli, int argc, char **argv)
{
    const char *value = NULL;
    bool failed = false;
    int operand = 1;
    (void)cli_next(cli, argc, argv, &value, &failed, &operand);
    return failed ? -1 : operand;
}

bool cli_has_global(const struct verb *verb, const struct cli_option *option)
{
    return verb == NULL || find_option(verb, option->name, 0) == option;
}

static void print_option(FILE *file, const struct cli_option *option)
{
    char left[64];
    (void)snprintf(left, sizeof(left), "%c%c%s--%s%s%s", option->letter ? '-' : ' ',
                   option->letter ? option->letter : ' ', option->letter ? ", " : "  ",
                   option->name, option->argument ? " " : "",
                   option->argument ? option->argument : "");
    (void)fprintf(file, "  %-30s %s\n", left, option->help);
}

static void print_globals(FILE *file, const struct verb *verb)
{
    (void)fputs("\nAlways:\n", file);
    for (const struct cli_option *option = cli_global_options; option->name != NULL; option++) {
        if (cli_has_global(verb, option))
            print_option(file, option);
    }
}

static void print_verb_help(FILE *file, const struct verb *verb)
{
    (void)fprintf(file, "Usage: batchctl %s [OPTIONS]%s%s\n%s.\n", verb->name,
                  verb->arguments[0] == '\0' ? "" : " ", verb->arguments, verb->help);
    if (verb->options != NULL && verb->options->name != NULL)
        (void)fputc('\n', file);
    for (const struct cli_option *option = verb->options; option != NULL && option->name != NULL;
         option++)
        print_option(file, option);
    if (verb->also != NULL)
        (void)fprintf(file, "\nAnd for the job: what batchctl %s --help shows.\n",
                      verb->also->name);
    print_globals(file, verb);
    (void)fprintf(file, "\nExample: %s\n", verb->example);
}

void cli_print_help(FILE *file, const struct verb *verb)
{
    if (verb != NULL) {
        print_verb_help(file, verb);
        return;
    }
    (void)fputs("Usage: batchctl VERB [OPTIONS] ...\n"
                "Speaks to batchd, the batch-job daemon.\n\n",
                file);
    for (size_t i = 0; cli_verbs[i] != NULL; i++)
        (void)fprintf(file, "  %-10s %s\n", cli_verbs[i]->name, cli_verbs[i]->help);
    print_globals(file, NULL);
    (void)fputs("\nExample: batchctl submit -n hello -- echo hello\n"
                "More: batchctl VERB --help, batchctl(1)\n",
                file);
}

/* ---- calls ---- */

int cli_connect(struct cli *cli)
{
    struct error err;
    if (cli->client != NULL)
        return 0;
    cli->client = batchd_connect(cli->socket, cli->timeout_ms, &err);
    return cli->client == NULL ? cli_fail_error(cli, &err) : 0;
}

json_t *cli_call(struct cli *cli, const char *method, json_t *parameters, int *ret_code)
{
    struct error err;
    *ret_code = cli_connect(cli);
    if (*ret_code != 0) {
        json_decref(parameters);
        return NULL;
    }
    json_t *reply = batchd_call(cli->client, method, parameters, &err);
    if (reply == NULL)
        *ret_code = cli_fail_error(cli, &err);
    return reply;
}

int cli_reach(struct cli *cli, struct cli_patience *patience, struct error *err)
{
    if (cli->client == NULL)
        cli->client = batchd_connect(cli->socket, cli->timeout_ms, err);
    patience->reached_at = clock_monotonic_us();
    return cli->client == NULL ? -1 : 0;
}

static void pause_us(int64_t us)
{
    const struct timespec pause = {.tv_sec = us / US_PER_SECOND,
                                   .tv_nsec = us % US_PER_SECOND * 1000};
    (void)nanosleep(&pause, NULL);
}

bool cli_try_again(struct cli *cli, struct cli_patience *patience, const struct error *err)
{
    int64_t most = cli->timeout_ms > 0 ? (int64_t)cli->timeout_ms * US_PER_MS : PATIENCE_US;
    int64_t now = clock_monotonic_us();
    bool was_there = cli->client != NULL;
    if (err->code != ERROR_UNREACHABLE || (!was_there && patience->until == 0))
        return false;
    if (patience->until == 0 || (was_there && now - patience->reached_at > most)) {
        patience->until = now + most; /* it was there for long: it is another time that it goes */
        patience->pause_us = FIRST_PAUSE_US;
    }
    if (now >= patience->until)
        return false;
    batchd_close(cli->client);
    cli->client = NULL;
    int64_t left = patience->until - now;
    pause_us(patience->pause_us < left ? patience->pause_us : left);
    patience->pause_us =
        2 * patience->pause_us < LONGEST_PAUSE_US ? 2 * patience->pause_us : LONGEST_PAUSE_US;
    return true;
}

json_t *cli_call_again(struct cli *cli, const char *method, json_t *parameters, int *ret_code)
{
    struct cli_patience patience = {0};
    struct error err;
    CLEANUP_JSON json_t *mine = parameters;
    for (;;) {
        json_t *reply = cli_reach(cli, &patience, &err) < 0
                            ? NULL
                            : batchd_call(cli->client, method, json_incref(mine), &err);
        if (reply != NULL)
            return reply;
        if (!cli_try_again(cli, &patience, &err)) {
            *ret_code = cli_fail_error(cli, &err);
            return NULL;
        }
    }
}

void cli_print_json(const json_t *value)
{
    (void)json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    (void)putchar('\n');
}

void cli_give_json(struct cli *cli, const json_t *value)
{
    if (cli->documents == NULL)
        cli_print_json(value);
    else
        (void)json_array_append(cli->documents, (json_t *)(uintptr_t)value);
}

void cli_write_bytes(FILE *file, const json_t *value)
{
    CLEANUP_FREE char *data = NULL;
    size_t bytes = 0;
    if (json_value_data(value, &data, &bytes) == 0)
        (void)fwrite(data, 1, bytes, file);
}
