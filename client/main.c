/* batchctl: finds the verb and runs it. */
#include "client/cli.h"
#include "client/verbs.h"

#include "common/cleanup.h"
#include "common/parse.h"
#include "common/suggest.h"

#include <locale.h>
#include <string.h>

const struct verb *const cli_verbs[] = {&verb_submit, &verb_list,   &verb_show,   &verb_logs,
                                        &verb_wait,   &verb_cancel, &verb_status, &verb_events,
                                        &verb_ping,   &verb_version, &verb_call,  &verb_processors, NULL};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        if (strcmp(cli_verbs[i]->name, name) == 0 ||
            (cli_verbs[i]->alias != NULL && strcmp(cli_verbs[i]->alias, name) == 0))
            return cli_verbs[i];
    }
    return strcmp(name, "squeue") == 0 ? &verb_list : NULL;
}

static int unknown_verb(const char *name)
{
    const char *names[sizeof(cli_verbs) / sizeof(cli_verbs[0])] = {NULL};
    char hint[64];
    for (size_t i = 0; cli_verbs[i] != NULL; i++)
        names[i] = cli_verbs[i]->name;
    const char *near = suggest_word(name, names);
    (void)snprintf(hint, sizeof(hint), "batchctl %s", near == NULL ? "--help" : near);
    return cli_fail(EXIT_USAGE, hint, "there is no verb \"%s\"", name);
}

/* Global options in front of the verb: how many words they take, or -1 after reporting. */
static int take_leading(struct cli *cli, int argc, char **argv, bool *ret_stop)
{
    int at = 1;
    struct error err;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--socket") == 0 && at + 1 < argc) {
            cli->socket = argv[++at];
        } else if (strncmp(argv[at], "--socket=", 9) == 0) {
            cli->socket = argv[at] + 9;
        } else if (strcmp(argv[at], "--timeout") == 0 && at + 1 < argc) {
            if (parse_span_ms(argv[++at], &cli->timeout_ms, &err) < 0)
                return -cli_fail(EXIT_USAGE, NULL, "--timeout: %s", err.text);
        } else if (strcmp(argv[at], "--json") == 0) {
            cli->json = true;
        } else if (strcmp(argv[at], "-q") == 0 || strcmp(argv[at], "--quiet") == 0) {
            cli->quiet = true;
        } else if (strcmp(argv[at], "--version") == 0) {
            (void)puts("batchctl " BATCHD_VERSION);
            *ret_stop = true;
        } else if (strcmp(argv[at], "-h") == 0 || strcmp(argv[at], "--help") == 0) {
            cli_print_help(NULL);
            *ret_stop = true;
        } else if (strcmp(argv[at], "--no-pager") != 0) {
            return -cli_fail(EXIT_USAGE, "batchctl --help", "unknown option \"%s\"", argv[at]);
        }
    }
    return at;
}

int main(int argc, char **argv)
{
    const char *no_color = getenv("NO_COLOR"); // NOLINT(concurrency-mt-unsafe)
    bool stop = false;
    (void)setlocale(LC_ALL, ""); // NOLINT(concurrency-mt-unsafe)
    (void)setlocale(LC_NUMERIC, "C"); // NOLINT(concurrency-mt-unsafe)
    struct cli cli = {.tty = isatty(STDOUT_FILENO) == 1};
    cli.color = cli.tty && (no_color == NULL || no_color[0] == '\0');
    int at = take_leading(&cli, argc, argv, &stop);
    if (at < 0 || stop)
        return stop ? EXIT_DONE : EXIT_USAGE;
    if (at == argc || (strcmp(argv[at], "help") == 0 && at + 1 == argc)) {
        cli_print_help(NULL);
        return at == argc ? EXIT_USAGE : EXIT_DONE;
    }
    bool help = strcmp(argv[at], "help") == 0;
    cli.verb = find_verb(argv[help ? at + 1 : at]);
    if (cli.verb == NULL)
        return unknown_verb(argv[help ? at + 1 : at]);
    if (help) {
        cli_print_help(cli.verb);
        return EXIT_DONE;
    }
    int code = cli.verb->run(&cli, argc - at, argv + at);
    batchd_close(cli.client);
    return code;
}
