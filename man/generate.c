/* Fills a manual page: its template comes on stdin, the page goes to stdout. A line @NAME@ becomes
 * what the programs' own tables say (the verbs, the settings, the interfaces), so that the manual
 * cannot differ from them. */
#include "client/cli.h"
#include "common/parse.h"
#include "daemon/api/interfaces.h"
#include "daemon/config.h"

#include <stdio.h>
#include <string.h>

/* Text of a page: a leading . or ' would be a request, a backslash an escape; a new sentence begins
 * a line. */
static void put_text(const char *text, size_t length, bool sentences)
{
    if (length > 0 && (text[0] == '.' || text[0] == '\''))
        (void)fputs("\\&", stdout);
    for (size_t i = 0; i < length; i++) {
        bool breaks = text[i] == ' ' && i > 0 && text[i - 1] == '.' && sentences;
        if (text[i] == '\\')
            (void)fputs("\\e", stdout);
        else
            (void)putchar(breaks ? '\n' : text[i]);
    }
}

static void put_sentence(const char *text)
{
    put_text(text, strlen(text), true);
    (void)puts(text[0] != '\0' && text[strlen(text) - 1] == '.' ? "" : ".");
}

static void put_option(const struct cli_option *option)
{
    (void)printf(".It ");
    if (option->letter != 0)
        (void)printf("Fl %c , ", option->letter);
    (void)printf("Fl Fl %s", option->name);
    if (option->argument != NULL)
        (void)printf(" Ar %s", option->argument);
    (void)putchar('\n');
    put_sentence(option->help);
}

static void put_globals(void)
{
    for (const struct cli_option *option = cli_global_options; option->name != NULL; option++)
        put_option(option);
}

static void put_verb(const struct verb *verb)
{
    (void)printf(".Ss %s\n.D1 Nm Cm %s Oo Ar options Oc", verb->name, verb->name);
    if (verb->arguments[0] != '\0')
        (void)printf(" Li \"%s\"", verb->arguments);
    (void)putchar('\n');
    put_sentence(verb->help);
    if (verb->alias != NULL)
        (void)printf("Also\n.Cm %s .\n", verb->alias);
    if (verb->options != NULL && verb->options->name != NULL) {
        (void)puts(".Bl -tag -width Ds");
        for (const struct cli_option *option = verb->options; option->name != NULL; option++)
            put_option(option);
        (void)puts(".El");
    }
    if (verb->also != NULL)
        (void)printf(".Pp\nAnd for the job: the options of\n.Cm %s .\n", verb->also->name);
    (void)puts(".Pp\nExample:");
    (void)printf(".Dl ");
    for (const char *c = verb->example; *c != '\0'; c++)
        (void)(*c == '"' ? fputs("\\(dq", stdout) : putchar(*c));
    (void)putchar('\n');
}

static void put_verbs(void)
{
    for (size_t i = 0; cli_verbs[i] != NULL; i++)
        put_verb(cli_verbs[i]);
}

static void put_limit(const struct config_key *key, uint64_t number)
{
    char text[32];
    if (key->type == CONFIG_SPAN)
        format_span(number, text, sizeof(text));
    else if (key->type == CONFIG_SIZE)
        format_size(number, text, sizeof(text));
    else
        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    (void)fputs(text, stdout);
}

static void put_setting(const struct config_key *key)
{
    static const char *const types[] = {
        [CONFIG_INTEGER32] = "A number",   [CONFIG_INTEGER64] = "A number",
        [CONFIG_SPAN] = "A span",          [CONFIG_SIZE] = "A size",
        [CONFIG_WORD] = "A text",          [CONFIG_COUNT_OR_AUTO] = "\\(dqauto\\(dq or a number",
        [CONFIG_COUNTER] = "A number",     [CONFIG_BACKOFF] = "A text",
        [CONFIG_LOOPBACK] = "A text",      [CONFIG_DISK_MARKS] = "A text",
        [CONFIG_INODE_MARKS] = "A text",   [CONFIG_FALLING_MARKS] = "A text",
        [CONFIG_MARKS] = "A text",         [CONFIG_RETRY_ON] = "A text",
        [CONFIG_BOOLEAN] = "true or false"};
    bool text = strcmp(types[key->type], "A text") == 0;
    (void)printf(".It Cm %s\n", strrchr(key->name, '.') + 1);
    put_sentence(key->help);
    (void)fputs(types[key->type], stdout);
    if (!text && key->type != CONFIG_BOOLEAN) {
        (void)fputs(" from ", stdout);
        put_limit(key, key->min);
        (void)fputs(" to ", stdout);
        put_limit(key, key->max);
    }
    if (key->type == CONFIG_COUNTER)
        (void)puts("; by default there is none.");
    else
        (void)printf("; the default is\n.Li %s .\n",
                     strcmp(key->fallback, "\"\"") == 0 ? "\\(dq\\(dq" : key->fallback);
}

static void put_queue_key(const struct queue_key *key)
{
    char low[32], high[32];
    (void)printf(".It Cm %s\n", key->name);
    put_sentence(key->help);
    if (key->kind == QUEUE_KEY_COUNT)
        (void)printf("A number from %llu to %llu", (unsigned long long)key->min,
                     (unsigned long long)key->max);
    if (key->kind == QUEUE_KEY_SPAN) {
        format_span(key->min, low, sizeof(low));
        format_span(key->max, high, sizeof(high));
        (void)printf("A span from %s to %s", low, high);
    }
    (void)printf("%s; the default is\n.Li %s .\n", queue_key_is_text(key) ? "A text" : "",
                 key->fallback[0] == '\0' ? "\\(dq\\(dq" : key->fallback);
}

/* The tables with names of the user's choice. */
static void put_names(void)
{
    (void)puts(".Ss [fair_share.shares]\n"
               "User names (or uids) and their shares, numbers above 0: with the policy\n.Cm fair\n"
               "what a user has used is divided by them.\nWho is not named has 1.");
    (void)puts(".Ss [retry.types.NAME]\n"
               "What is said in\n.Li [retry]\nby\n.Cm max_attempts , backoff , jitter\nand\n"
               ".Cm on\nfor jobs of the type NAME only; what it does not say, and their queue does "
               "not,\nis as in\n.Li [retry] .");
    (void)puts(".Ss [queues.NAME]\n"
               "A queue; the one named\n.Li default\nis always there.\n"
               "What\n.Ql batchctl queue set\nchanged at run time goes before these.\n"
               ".Bl -tag -width Ds");
    for (const struct queue_key *key = queue_keys; key->name != NULL; key++)
        put_queue_key(key);
    (void)puts(".El");
}

/* Table by table; the rows of one stand together. */
static void put_settings(void)
{
    const char *table = "";
    size_t length = 0;
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        if (strncmp(key->name, table, length) != 0 || key->name[length] != '.') {
            (void)fputs(length == 0 ? "" : ".El\n", stdout);
            table = key->name;
            length = strcspn(table, ".");
            (void)printf(".Ss [%.*s]\n.Bl -tag -width Ds\n", (int)length, table);
        }
        put_setting(key);
    }
    (void)puts(".El");
    put_names();
}

static void put_interfaces(void)
{
    for (size_t i = 0; interfaces[i].name != NULL; i++) {
        (void)printf(".Ss %s\n.Bd -literal\n", interfaces[i].name);
        for (const char *line = interfaces[i].text; *line != '\0';) {
            size_t length = strcspn(line, "\n");
            put_text(line, length, false);
            (void)putchar('\n');
            line += length + (line[length] == '\n');
        }
        (void)puts(".Ed");
    }
}

static void put_line(char *line)
{
    static const struct {
        const char *mark;
        void (*put)(void);
    } parts[] = {{"@GLOBALS@\n", put_globals},
                 {"@VERBS@\n", put_verbs},
                 {"@SETTINGS@\n", put_settings},
                 {"@INTERFACES@\n", put_interfaces}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(parts[i].mark, line) == 0) {
            parts[i].put();
            return;
        }
    }
    char *version = strstr(line, "@VERSION@");
    if (version != NULL)
        (void)printf("%.*s%s%s", (int)(version - line), line, BATCHD_VERSION,
                     version + strlen("@VERSION@"));
    else
        (void)fputs(line, stdout);
}

int main(void)
{
    char line[1024];
    while (fgets(line, sizeof(line), stdin) != NULL)
        put_line(line);
    return fflush(stdout) == 0 ? 0 : 1;
}
