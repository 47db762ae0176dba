/* batchctl: finds the verb and runs it. */
#include "client/cli.h"
#include "client/verbs.h"

#include "common/glib_memory.h"
#include "common/json.h"
#include "common/suggest.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VERBS_MAX 64

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
    const char *names[VERBS_MAX + 1] = {NULL};
    char hint[64];
    for (size_t i = 0; cli_verbs[i] != NULL && i < VERBS_MAX; i++)
        names[i] = cli_verbs[i]->name;
    const char *near = suggest_word(name, names);
    (void)snprintf(hint, sizeof(hint), "batchctl %s", near == NULL ? "--help" : near);
    return cli_fail(EXIT_USAGE, hint, "there is no verb \"%s\"", name);
}

/* Stands for batchctl itself while the options in front of the verb are read. */
static const struct verb no_verb = {.name = "batchctl", .stop_at_operand = true};

/* Where the verb is in argv; 0 after reporting. */
static int take_leading(struct cli *cli, int argc, char **argv)
{
    const char *value = NULL;
    bool failed = false;
    int operand = 1;
    cli->verb = &no_verb;
    (void)cli_next(cli, argc, argv, &value, &failed, &operand); /* all of them are global */
    optind = 0; /* getopt begins anew with the verb's own */
    return failed ? 0 : operand;
}

/* What was printed must have arrived: a full disk is not success. */
static int finish(struct cli *cli, int code)
{
    batchd_close(cli->client);
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    int failed =
        cli_fail(EXIT_REFUSED, NULL, "cannot write the output: %s", strerrordesc_np(errno));
    return code == EXIT_DONE ? failed : code;
}

int main(int argc, char **argv)
{
    const char *no_color = getenv("NO_COLOR");
    json_must_have_memory();
    glib_must_have_memory();
    (void)setlocale(LC_ALL, "");
    (void)setlocale(LC_NUMERIC, "C");
    struct cli cli = {.tty = isatty(STDOUT_FILENO) == 1};
    cli.color = cli.tty && (no_color == NULL || no_color[0] == '\0');
    int at = take_leading(&cli, argc, argv);
    if (at == 0)
        return EXIT_USAGE;
    if (at == argc) {
        cli_print_help(stderr, NULL);
        return EXIT_USAGE;
    }
    bool help = strcmp(argv[at], "help") == 0;
    if (help && at + 1 == argc) {
        cli_print_help(stdout, NULL);
        return finish(&cli, EXIT_DONE);
    }
    cli.verb = find_verb(argv[help ? at + 1 : at]);
    if (cli.verb == NULL)
        return unknown_verb(argv[help ? at + 1 : at]);
    if (help)
        cli_print_help(stdout, cli.verb);
    return finish(&cli, help ? EXIT_DONE : cli.verb->run(&cli, argc - at, argv + at));
}
