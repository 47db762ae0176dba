/* Completion for fish: one `complete` line for each verb, option and kind of operand. */
#include "client/completion.h"

static const char head[] = "# fish completion for batchctl; made by: batchctl completion fish\n"
                           "function __batchctl_ids\n"
                           "    printf '%s\\n' @last @failed\n"
                           "    batchctl --timeout 1s list --newest --limit 50 -o id 2>/dev/null\n"
                           "end\n"
                           "function __batchctl_names\n"
                           "    batchctl --timeout 1s $argv[1] list -q 2>/dev/null\n"
                           "end\n"
                           "complete -c batchctl -f\n";

/* Text inside '...' */
static void write_text(FILE *file, const char *text)
{
    for (; *text != '\0'; text++)
        (void)fprintf(file, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void write_condition(FILE *file, const struct verb *verb)
{
    if (verb != NULL)
        (void)fprintf(file, "complete -c batchctl -n '__fish_seen_subcommand_from %s'", verb->name);
    else
        (void)fputs("complete -c batchctl", file);
}

static void write_value(FILE *file, const struct cli_option *option)
{
    const char *words;
    if (option->argument == NULL)
        return;
    switch (completion_of(option, &words)) {
    case COMPLETE_WORDS:
        (void)fprintf(file, " -x -a '%s'", words);
        break;
    case COMPLETE_LIST:
        (void)fprintf(file, " -x -a '(__fish_append , %s)'", words);
        break;
    case COMPLETE_FILE:
        (void)fputs(" -r -F", file);
        break;
    case COMPLETE_FOLDER:
        (void)fputs(" -x -a '(__fish_complete_directories)'", file);
        break;
    case COMPLETE_NAMES:
        (void)fprintf(file, " -x -a '(__batchctl_names %s)'", words);
        break;
    case COMPLETE_IDS:
        (void)fputs(" -x -a '(__batchctl_ids)'", file);
        break;
    case COMPLETE_USER:
        (void)fputs(" -x -a '(__fish_complete_users)'", file);
        break;
    case COMPLETE_NOTHING:
        (void)fputs(" -x", file);
        break;
    }
}

static void write_option(FILE *file, const struct verb *verb, const struct cli_option *option)
{
    write_condition(file, verb);
    if (option->letter != 0)
        (void)fprintf(file, " -s %c", option->letter);
    (void)fprintf(file, " -l %s", option->name);
    write_value(file, option);
    (void)fputs(" -d '", file);
    write_text(file, option->help);
    (void)fputs("'\n", file);
}

static void write_verb(FILE *file, const struct verb *verb)
{
    const char *words;
    bool ids = completion_of_operands(verb, &words);
    (void)fprintf(file, "complete -c batchctl -n __fish_use_subcommand -a %s -d '", verb->name);
    write_text(file, verb->help);
    (void)fputs("'\n", file);
    for (int pass = 0; pass < COMPLETION_PASSES; pass++) {
        for (const struct cli_option *option = completion_options(verb, pass); option->name != NULL;
             option++)
            write_option(file, verb, option);
    }
    if (!ids && words == NULL && !verb->stop_at_operand)
        return;
    write_condition(file, verb);
    if (ids && words != NULL)
        (void)fprintf(file, " -a '%s (__batchctl_ids)'\n", words);
    else if (ids)
        (void)fputs(" -a '(__batchctl_ids)'\n", file);
    else if (words != NULL && completion_has_names(verb))
        (void)fprintf(file, " -a '%s (__batchctl_names %s)'\n", words, verb->name);
    else if (words != NULL)
        (void)fprintf(file, " -a '%s'\n", words);
    else
        (void)fputs(" -a '(__fish_complete_subcommand --fcs-skip=2)'\n", file);
}

void completion_write_fish(FILE *file)
{
    (void)fputs(head, file);
    for (size_t i = 0; cli_verbs[i] != NULL; i++)
        write_verb(file, cli_verbs[i]);
    for (const struct cli_option *option = cli_global_options; option->name != NULL; option++)
        write_option(file, NULL, option);
}
