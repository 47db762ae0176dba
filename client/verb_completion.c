/* batchctl completion SHELL: the script that makes a shell complete verbs, options, words and ids.
 * Everything in it comes from the tables of which --help is made. */
#include "client/completion.h"
#include "client/verbs.h"

#include <string.h>

#define SHELLS "bash zsh fish"

#define COLUMNS                                                                                 \
    "id state priority queue user submitted time result name command type attempt worker cpus " \
    "memory gpus disk begin started ended deadline estimate depends tags"

/* Values that are one of a few words, by the long name of the option and its argument. What the
 * daemon takes is its own affair: tests/system/test_completion.py tries each word. */
static const struct {
    const char *option, *argument, *words;
} words_of[] = {
    {"priority", "LEVEL", "urgent high normal low background"},
    {"state", "STATE,...", "pending starting running suspended completed failed cancelled"},
    {"state", "ENDED,...", "completed failed cancelled"},
    {"for", "STATE", "terminal completed running"},
    {"output", "FORMAT", "table wide json jsonl tsv id"},
    {"env-policy", "POLICY", "clean all none"},
    {"policy", "POLICY", "fifo priority sjf fair all"},
    {"policy", "ORDER", "fifo priority sjf fair"},
    {"backfill", "KIND", "none easy both"},
    {"by", "FIELD", "user queue name type"},
    {"backfill", "MODE", "none easy"},
    {"jitter", "KIND", "none full equal"},
    {"retry-on", "CLASS,...",
     "exit exit:75 signal timeout oom disk_full lost spawn processor default failures none"},
    {"checkpoint-signal", "SIG", "USR1 USR2 HUP INT QUIT ALRM"},
    {"timeout-signal", "SIG[@SPAN]", "USR1 USR2 HUP INT QUIT ALRM TERM"},
    {"cpu-bind", "HOW", "none cores"},
    {"io-priority", "CLASS",
     "none idle best-effort:0 best-effort:1 best-effort:2 best-effort:3 best-effort:4 "
     "best-effort:5 best-effort:6 best-effort:7"},
    {"overlap", "RULE", "skip queue replace"},
    {"catch-up", "RULE", "none one"},
    {"color", "WHEN", "auto always never"},
    {"sort", "COLUMN,...", COLUMNS},
    {"columns", "COLUMN,...", COLUMNS},
};

/* Values that are asked for of the shell or the daemon. */
static const struct {
    const char *option, *argument;
    enum completion_kind kind;
    const char *verb; /* that lists the names */
} kinds_of[] = {
    {"queue", "NAME", COMPLETE_NAMES, "queue"},     {"move-to", "QUEUE", COMPLETE_NAMES, "queue"},
    {"type", "TYPE", COMPLETE_NAMES, "processors"}, {"user", "NAME", COMPLETE_USER, NULL},
    {"depends", "LIST", COMPLETE_IDS, NULL},
};

enum completion_kind completion_of(const struct cli_option *option, const char **ret_words)
{
    const char *argument = option->argument == NULL ? "" : option->argument;
    *ret_words = NULL;
    for (size_t i = 0; i < sizeof(words_of) / sizeof(words_of[0]); i++) {
        if (strcmp(words_of[i].option, option->name) == 0 &&
            strcmp(words_of[i].argument, argument) == 0) {
            *ret_words = words_of[i].words;
            return strchr(argument, ',') == NULL ? COMPLETE_WORDS : COMPLETE_LIST;
        }
    }
    for (size_t i = 0; i < sizeof(kinds_of) / sizeof(kinds_of[0]); i++) {
        if (strcmp(kinds_of[i].option, option->name) == 0 &&
            strcmp(kinds_of[i].argument, argument) == 0) {
            *ret_words = kinds_of[i].verb;
            return kinds_of[i].kind;
        }
    }
    if (strcmp(argument, "DIR") == 0)
        return COMPLETE_FOLDER;
    return strcmp(argument, "FILE") == 0 || strcmp(argument, "PATH") == 0 ? COMPLETE_FILE
                                                                          : COMPLETE_NOTHING;
}

const struct cli_option *completion_options(const struct verb *verb, int pass)
{
    static const struct cli_option none[] = {{NULL, 0, NULL, NULL}};
    const struct verb *source = pass == 0 ? verb : verb->also;
    return source == NULL || source->options == NULL ? none : source->options;
}

bool completion_of_operands(const struct verb *verb, const char **ret_words)
{
    static const struct {
        const char *verb, *words;
    } first_words[] = {
        {"breakers", "list reset open disable"},
        {"checkpoint", "commit path request"},
        {"completion", SHELLS},
        {"cron", "list add edit remove pause resume run next"},
        {"processors", "list show"},
        {"queue", "list add set pause resume drain remove"},
        {"signal", "HUP INT QUIT KILL USR1 USR2 TERM CONT STOP"},
    };
    *ret_words = NULL;
    for (size_t i = 0; i < sizeof(first_words) / sizeof(first_words[0]); i++) {
        if (strcmp(first_words[i].verb, verb->name) == 0)
            *ret_words = first_words[i].words;
    }
    return strncmp(verb->arguments, "ID", 2) == 0 || strncmp(verb->arguments, "[ID", 3) == 0 ||
           strncmp(verb->arguments, "SIG ID", 6) == 0;
}

bool completion_has_names(const struct verb *verb)
{
    return strcmp(verb->name, "cron") == 0 || strcmp(verb->name, "processors") == 0 ||
           strcmp(verb->name, "queue") == 0 || strcmp(verb->name, "breakers") == 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct {
        const char *shell;
        void (*write)(FILE *file);
    } writers[] = {{"bash", completion_write_bash},
                   {"zsh", completion_write_zsh},
                   {"fish", completion_write_fish}};
    int operand = cli_operands(cli, argc, argv);
    if (operand < 0)
        return EXIT_USAGE;
    if (argc - operand != 1)
        return cli_fail(EXIT_USAGE, cli->verb->example, "completion takes one shell");
    for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
        if (strcmp(writers[i].shell, argv[operand]) == 0) {
            writers[i].write(stdout);
            return EXIT_DONE;
        }
    }
    return cli_fail(EXIT_USAGE, NULL, "shell \"%s\" must be bash, zsh or fish", argv[operand]);
}

const struct verb verb_completion = {.name = "completion",
                                     .arguments = "SHELL",
                                     .help = "Print the completion script of bash, zsh or fish",
                                     .example = "eval \"$(batchctl completion bash)\"",
                                     .run = run};
