/* Completion for zsh: one _arguments call for each verb, with the help texts. */
#include "client/completion.h"

static const char head[] =
    "#compdef batchctl\n"
    "# zsh completion for batchctl; made by: batchctl completion zsh\n"
    "_batchctl_ids()\n"
    "{\n"
    "    local -a ids\n"
    "    ids=(@last @failed ${(f)\"$(batchctl --timeout 1s list --newest --limit 50 -o id"
    " 2>/dev/null)\"})\n"
    "    compadd -a ids\n"
    "}\n"
    "\n"
    "# What a verb lists: queue, cron, processors.\n"
    "_batchctl_names()\n"
    "{\n"
    "    local -a names\n"
    "    names=(${(f)\"$(batchctl --timeout 1s $1 list -q 2>/dev/null)\"})\n"
    "    compadd -a names\n"
    "}\n"
    "\n"
    "# The last id of afterok:41:42, or the type before it.\n"
    "_batchctl_depends()\n"
    "{\n"
    "    if compset -P '*:'; then\n"
    "        _batchctl_ids\n"
    "    else\n"
    "        compset -P '*[,?]'\n"
    "        compadd -S '' after: afterany: afterok: afternotok: aftercorr: singleton\n"
    "    fi\n"
    "}\n"
    "\n";

static const char tail[] = "    esac\n"
                           "}\n"
                           "\n"
                           "# Autoloaded, this file is the function; evaluated, it defines it.\n"
                           "if [[ $funcstack[1] == _batchctl ]]; then\n"
                           "    _batchctl \"$@\"\n"
                           "else\n"
                           "    compdef _batchctl batchctl\n"
                           "fi\n";

/* Text inside '...[text]...' of _arguments. */
static void write_text(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            (void)fputs("'\\''", file);
        else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
            (void)fprintf(file, "\\%c", *text);
        else
            (void)fputc(*text, file);
    }
}

/* A colon of a word would begin what comes behind it in the specification; `colon` is one that does
 * not. */
static void write_words(FILE *file, const char *words, const char *colon)
{
    for (; *words != '\0'; words++) {
        if (*words == ':')
            (void)fputs(colon, file);
        else
            (void)fputc(*words, file);
    }
}

static void write_value(FILE *file, const struct cli_option *option)
{
    const char *words;
    if (option->argument == NULL)
        return;
    (void)fputc(':', file);
    write_text(file, option->argument);
    switch (completion_of(option, &words)) {
    case COMPLETE_WORDS:
        (void)fputs(":(", file);
        write_words(file, words, "\\:");
        (void)fputc(')', file);
        break;
    case COMPLETE_LIST:
        (void)fputs(":_values -s , word ", file);
        write_words(file, words, "\\\\\\:"); /* for _values, too */
        break;
    case COMPLETE_FILE:
        (void)fputs(":_files", file);
        break;
    case COMPLETE_FOLDER:
        (void)fputs(":_files -/", file);
        break;
    case COMPLETE_NAMES:
        (void)fprintf(file, ":{_batchctl_names %s}", words);
        break;
    case COMPLETE_IDS:
        (void)fputs(":_batchctl_depends", file);
        break;
    case COMPLETE_USER:
        (void)fputs(":_users", file);
        break;
    case COMPLETE_NOTHING:
        (void)fputs(": ", file);
        break;
    }
}

static void write_spec(FILE *file, const struct cli_option *option, const char *name, char letter)
{
    (void)fputs(" \\\n            '", file);
    if (letter != 0)
        (void)fprintf(file, "-%c", letter);
    else
        (void)fprintf(file, "--%s%s", name, option->argument == NULL ? "" : "=");
    (void)fputc('[', file);
    write_text(file, option->help);
    (void)fputc(']', file);
    write_value(file, option);
    (void)fputc('\'', file);
}

static void write_specs(FILE *file, const struct verb *verb, const struct cli_option *option)
{
    for (; option != NULL && option->name != NULL; option++) {
        if (!cli_has_global(verb, option))
            continue;
        write_spec(file, option, option->name, 0);
        if (option->letter != 0)
            write_spec(file, option, NULL, option->letter);
    }
}

static void write_verb(FILE *file, const struct verb *verb)
{
    const char *words;
    bool ids = completion_of_operands(verb, &words);
    (void)fprintf(file, "    %s)\n        _arguments -s", verb->name);
    for (int pass = 0; pass < COMPLETION_PASSES; pass++)
        write_specs(file, verb, completion_options(verb, pass));
    write_specs(file, verb, cli_global_options);
    if (ids && words != NULL)
        (void)fprintf(file, " \\\n            ':word:(%s)'", words);
    if (ids)
        (void)fputs(" \\\n            '*:job:_batchctl_ids'", file);
    else if (words != NULL && completion_has_names(verb))
        (void)fprintf(file, " \\\n            ':word:(%s)' ':name:{_batchctl_names %s}'", words,
                      verb->name);
    else if (words != NULL)
        (void)fprintf(file, " \\\n            ':word:(%s)'", words);
    else if (verb->stop_at_operand)
        (void)fputs(" \\\n            '(-)1:command:_command_names -e' '*::argument:_normal'",
                    file);
    (void)fputs("\n        ;;\n", file);
}

void completion_write_zsh(FILE *file)
{
    (void)fputs(head, file);
    (void)fputs("_batchctl()\n{\n    local curcontext=$curcontext context state state_descr line\n"
                "    local -A opt_args\n    local -a verbs\n    verbs=(\n",
                file);
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        (void)fprintf(file, "        '%s:", cli_verbs[i]->name);
        write_text(file, cli_verbs[i]->help);
        (void)fputs("'\n", file);
    }
    (void)fputs("    )\n    _arguments -C", file);
    write_specs(file, NULL, cli_global_options);
    (void)fputs(" \\\n            '1:verb:->verb' '*::argument:->rest' && return\n"
                "    if [[ $state == verb ]]; then\n        _describe verb verbs\n"
                "        return\n    fi\n    case $words[1] in\n",
                file);
    for (size_t i = 0; cli_verbs[i] != NULL; i++)
        write_verb(file, cli_verbs[i]);
    (void)fputs(tail, file);
}
