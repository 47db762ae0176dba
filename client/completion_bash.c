/* Completion for bash. It needs nothing of the bash-completion package, which loads it by its name
 * when it is there. Verbs and options are branches of case; ids are asked of the daemon. */
#include "client/completion.h"

static const char head[] =
    "# bash completion for batchctl; made by: batchctl completion bash\n"
    "_batchctl_words()\n"
    "{\n"
    "    COMPREPLY=($(compgen -W \"$1\" -- \"$cur\"))\n"
    "}\n"
    "\n"
    "# Several words with commas between them: the last one is completed.\n"
    "_batchctl_list()\n"
    "{\n"
    "    local before=''\n"
    "    [[ $cur == *,* ]] && before=${cur%,*},\n"
    "    COMPREPLY=($(compgen -P \"$before\" -W \"$1\" -- \"${cur##*,}\"))\n"
    "}\n"
    "\n"
    "_batchctl_paths()\n"
    "{\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    COMPREPLY=($(compgen \"$1\" -- \"$cur\"))\n"
    "}\n"
    "\n"
    "_batchctl_ids()\n"
    "{\n"
    "    _batchctl_words \"@last @failed $(batchctl --timeout 1s list --newest --limit 50 -o id"
    " 2>/dev/null)\"\n"
    "}\n"
    "\n"
    "# What a verb lists: queue, cron, processors.\n"
    "_batchctl_names()\n"
    "{\n"
    "    _batchctl_words \"$(batchctl --timeout 1s \"$1\" list -q 2>/dev/null)\"\n"
    "}\n"
    "\n"
    "# afterok:41:42,after: the last id, or the type before it.\n"
    "_batchctl_depends()\n"
    "{\n"
    "    local part=${cur##*[:,?]} words='after: afterany: afterok: afternotok: aftercorr:"
    " singleton'\n"
    "    local before=${cur%\"$part\"}\n"
    "    if [[ $before == *: ]]; then\n"
    "        cur=$part\n"
    "        _batchctl_ids\n"
    "        cur=$before$part\n"
    "        COMPREPLY=(\"${COMPREPLY[@]/#/$before}\")\n"
    "    else\n"
    "        COMPREPLY=($(compgen -P \"$before\" -W \"$words\" -- \"$part\"))\n"
    "        compopt -o nospace 2>/dev/null\n"
    "    fi\n"
    "}\n"
    "\n";

static const char body[] =
    "# bash breaks words at these, too: `words` gets them whole.\n"
    "_batchctl_join()\n"
    "{\n"
    "    local i left=$COMP_LINE\n"
    "    for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "        if [[ $i == 0 || $left == [[:space:]]* ]]; then\n"
    "            words+=(\"${COMP_WORDS[i]}\")\n"
    "        else\n"
    "            words[${#words[@]}-1]+=${COMP_WORDS[i]}\n"
    "        fi\n"
    "        left=${left#\"${left%%[![:space:]]*}\"}\n"
    "        left=${left#\"${COMP_WORDS[i]}\"}\n"
    "    done\n"
    "}\n"
    "\n"
    "# And puts the replies in the place of what is behind the last of them.\n"
    "_batchctl_trim()\n"
    "{\n"
    "    local chars='' c\n"
    "    for c in = : @; do\n"
    "        [[ $COMP_WORDBREAKS == *$c* ]] && chars+=$c\n"
    "    done\n"
    "    [[ -n $chars && $1 == *[$chars]* ]] || return\n"
    "    local before=${1%\"${1##*[$chars]}\"}\n"
    "    COMPREPLY=(\"${COMPREPLY[@]#\"$before\"}\")\n"
    "}\n"
    "\n"
    "_batchctl()\n"
    "{\n"
    "    local cur word verb='' option='' seen=0 rest=0\n"
    "    local -a words=()\n"
    "    COMPREPLY=()\n"
    "    _batchctl_join\n"
    "    cur=${words[${#words[@]}-1]}\n"
    "    for word in \"${words[@]:1:${#words[@]}-2}\"; do\n"
    "        if [[ -n $option ]]; then\n"
    "            option=''\n"
    "        elif [[ $word == -- ]]; then\n"
    "            rest=1\n"
    "            break\n"
    "        elif [[ $word == -* ]]; then\n"
    "            [[ $word != *=* ]] && _batchctl_takes \"$verb:$word\" && option=$word\n"
    "        elif [[ -z $verb ]]; then\n"
    "            verb=$word\n"
    "        elif _batchctl_stops \"$verb:$seen\"; then\n"
    "            rest=1\n"
    "            break\n"
    "        else\n"
    "            seen=$((seen + 1))\n"
    "        fi\n"
    "    done\n"
    "    if [[ $rest == 1 ]]; then\n"
    "        compopt -o default 2>/dev/null\n"
    "        [[ ${words[${#words[@]}-2]} == -- ]] && COMPREPLY=($(compgen -c -- \"$cur\"))\n"
    "        return\n"
    "    fi\n"
    "    if [[ -z $option && $cur == --*=* ]] && _batchctl_takes \"$verb:${cur%%=*}\"; then\n"
    "        option=${cur%%=*}\n"
    "        cur=${cur#*=}\n"
    "    fi\n"
    "    if [[ -n $option ]]; then\n"
    "        _batchctl_value \"$verb:$option\"\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        _batchctl_options \"$verb\"\n"
    "    elif [[ -z $verb ]]; then\n"
    "        _batchctl_verbs\n"
    "    else\n"
    "        _batchctl_operands \"$verb:$seen\"\n"
    "    fi\n"
    "    _batchctl_trim \"$cur\"\n"
    "}\n"
    "complete -F _batchctl batchctl\n";

static void write_pattern(FILE *file, const char *verb, const struct cli_option *option)
{
    (void)fprintf(file, "    %s:--%s", verb, option->name);
    if (option->letter != 0)
        (void)fprintf(file, "|%s:-%c", verb, option->letter);
    (void)fputs(") ", file);
}

static void write_value(FILE *file, const char *verb, const struct cli_option *option)
{
    const char *words;
    enum completion_kind kind = completion_of(option, &words);
    if (kind == COMPLETE_NOTHING)
        return;
    write_pattern(file, verb, option);
    if (kind == COMPLETE_WORDS || kind == COMPLETE_LIST)
        (void)fprintf(file, "_batchctl_%s '%s';;\n", kind == COMPLETE_LIST ? "list" : "words",
                      words);
    else if (kind == COMPLETE_NAMES)
        (void)fprintf(file, "_batchctl_names %s;;\n", words);
    else if (kind == COMPLETE_IDS)
        (void)fputs("_batchctl_depends;;\n", file);
    else if (kind == COMPLETE_USER)
        (void)fputs("COMPREPLY=($(compgen -u -- \"$cur\"));;\n", file);
    else
        (void)fprintf(file, "_batchctl_paths %s;;\n", kind == COMPLETE_FILE ? "-f" : "-d");
}

static void write_takes(FILE *file, const char *verb, const struct cli_option *option)
{
    if (option->argument == NULL)
        return;
    write_pattern(file, verb, option);
    (void)fputs("return 0;;\n", file);
}

/* A function that is one case over "verb:option". */
static void write_cases(FILE *file, const char *name,
                        void (*each)(FILE *file, const char *verb, const struct cli_option *option))
{
    (void)fprintf(file, "%s()\n{\n    case $1 in\n", name);
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        for (int pass = 0; pass < COMPLETION_PASSES; pass++) {
            for (const struct cli_option *option = completion_options(cli_verbs[i], pass);
                 option->name != NULL; option++)
                each(file, cli_verbs[i]->name, option);
        }
    }
    for (const struct cli_option *option = cli_global_options; option->name != NULL; option++)
        each(file, "*", option);
    (void)fputs("    *) return 1;;\n    esac\n}\n\n", file);
}

static void write_names(FILE *file, const struct cli_option *option)
{
    for (; option != NULL && option->name != NULL; option++) {
        if (option->letter != 0)
            (void)fprintf(file, " -%c", option->letter);
        (void)fprintf(file, " --%s", option->name);
    }
}

static void write_options(FILE *file)
{
    (void)fputs("_batchctl_options()\n{\n    local own=''\n    case $1 in\n", file);
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        (void)fprintf(file, "    %s) own='", cli_verbs[i]->name);
        for (int pass = 0; pass < COMPLETION_PASSES; pass++)
            write_names(file, completion_options(cli_verbs[i], pass));
        (void)fputs("';;\n", file);
    }
    (void)fputs("    esac\n    _batchctl_words \"$own", file);
    write_names(file, cli_global_options);
    (void)fputs("\"\n}\n\n", file);
}

static void write_operands(FILE *file)
{
    const char *words;
    (void)fputs("_batchctl_operands()\n{\n    case $1 in\n", file);
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        if (completion_has_names(cli_verbs[i]))
            (void)fprintf(file, "    %s:1) _batchctl_names %s;;\n", cli_verbs[i]->name,
                          cli_verbs[i]->name);
    }
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        bool ids = completion_of_operands(cli_verbs[i], &words);
        if (words != NULL)
            (void)fprintf(file, "    %s:0) _batchctl_words '%s';;\n", cli_verbs[i]->name, words);
        if (ids)
            (void)fprintf(file, "    %s:*) _batchctl_ids;;\n", cli_verbs[i]->name);
        if (cli_verbs[i]->stop_at_operand)
            (void)fprintf(file, "    %s:*) COMPREPLY=($(compgen -c -- \"$cur\"));;\n",
                          cli_verbs[i]->name);
    }
    (void)fputs("    help:*) _batchctl_verbs;;\n    esac\n}\n\n", file);
}

static void write_verbs(FILE *file)
{
    (void)fputs("_batchctl_verbs()\n{\n    _batchctl_words 'help", file);
    for (size_t i = 0; cli_verbs[i] != NULL; i++)
        (void)fprintf(file, " %s", cli_verbs[i]->name);
    (void)fputs("'\n}\n\n# What follows the first operand belongs to the command.\n"
                "_batchctl_stops()\n{\n    case $1 in\n",
                file);
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        if (cli_verbs[i]->stop_at_operand)
            (void)fprintf(file, "    %s:%s) return 0;;\n", cli_verbs[i]->name,
                          completion_has_names(cli_verbs[i]) ? "2" : "*");
    }
    (void)fputs("    *) return 1;;\n    esac\n}\n\n", file);
}

void completion_write_bash(FILE *file)
{
    (void)fputs(head, file);
    write_verbs(file);
    write_cases(file, "_batchctl_takes", write_takes);
    write_cases(file, "_batchctl_value", write_value);
    write_options(file);
    write_operands(file);
    (void)fputs(body, file);
}
