#include "client/table.h"

#include "client/text.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <libsmartcols.h>
#include <string.h>
#include <time.h>

static const char *text_of(const json_t *job, const char *key)
{
    const char *text = json_string_value(json_object_get(job, key));
    return text == NULL ? "" : text;
}

static int64_t number_of(const json_t *job, const char *key)
{
    return json_integer_value(json_object_get(job, key));
}

static char *signal_name(const json_t *number)
{
    const char *name = sigabbrev_np((int)json_integer_value(number));
    return name != NULL ? xstrdup(name) : xasprintf("%lld", json_integer_value(number));
}

/* Why it does not run: "Held,BeginTime"; "" when it does. */
static char *reasons_of(const json_t *job)
{
    const json_t *reason;
    size_t i;
    char *text = xstrdup("");
    json_array_foreach((json_t *)(uintptr_t)json_object_get(job, "reasons"), i, reason) {
        char *longer = xasprintf("%s%s%s", text, i == 0 ? "" : ",", json_string_value(reason));
        free(text);
        text = longer;
    }
    return text;
}

char *table_result(const json_t *job)
{
    const json_t *outcome = json_object_get(job, "outcome");
    const json_t *progress = json_object_get(job, "progress");
    const json_t *fraction = json_object_get(progress, "fraction");
    const json_t *number = json_object_get(outcome, "signal");
    const char *class = json_string_value(json_object_get(outcome, "class"));
    const json_t *array = json_object_get(job, "array");
    if (class == NULL && json_is_object(array)) {
        long long ended = number_of(array, "completed") + number_of(array, "failed") +
                          number_of(array, "cancelled");
        CLEANUP_FREE char *reasons = reasons_of(job);
        return xasprintf("%lld/%lld%s%s", ended, (long long)number_of(array, "count"),
                         reasons[0] == '\0' ? "" : " ", reasons);
    }
    if (class == NULL)
        return json_is_number(fraction) ? xasprintf("%.0f %%", 100 * json_number_value(fraction))
                                        : reasons_of(job);
    if (strcmp(class, "success") == 0)
        return xstrdup("ok");
    if (strcmp(class, "exit") == 0 || strcmp(class, "processor") == 0)
        return xasprintf("exit %lld", json_integer_value(json_object_get(outcome, "exit_code")));
    if (strcmp(class, "signal") == 0 && json_is_integer(number)) {
        CLEANUP_FREE char *name = signal_name(number);
        return xasprintf("signal %s", name);
    }
    return xstrdup(class);
}

char *table_outcome(const json_t *job)
{
    const json_t *outcome = json_object_get(job, "outcome");
    const json_t *said = json_object_get(json_object_get(job, "result"), "error");
    const char *class = text_of(outcome, "class");
    const char *message = text_of(outcome, "message");
    if (message[0] == '\0') /* a processor says why by itself */
        message = text_of(said, "message");
    const json_t *code = json_object_get(outcome, "exit_code");
    const json_t *number = json_object_get(outcome, "signal");
    if (strcmp(class, "signal") == 0 && json_is_integer(number)) {
        CLEANUP_FREE char *name = signal_name(number);
        return xasprintf("killed by signal %s", name);
    }
    if (strcmp(class, "exit") == 0)
        return xasprintf("exit %lld", json_integer_value(code));
    if (strcmp(class, "timeout") == 0)
        return xstrdup("timed out");
    return text_tame(xasprintf("%s%s%s", class, message[0] == '\0' ? "" : ": ", message));
}

/* The word as a shell would take it: quoted when it has to be. */
static char *quoted(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_^";
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0')
        return xstrdup(word);
    char *text = xmalloc(4 * strlen(word) + 3);
    char *to = text;
    *to++ = '\'';
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            to = stpcpy(to, "'\\''");
        else
            *to++ = *word;
    }
    *to++ = '\'';
    *to = '\0';
    return text;
}

char *table_command(const json_t *job)
{
    const json_t *argv = json_object_get(job, "argv");
    const json_t *word;
    size_t i;
    char *text = xstrdup("");
    json_array_foreach(argv, i, word) {
        CLEANUP_FREE char *next = quoted(json_is_string(word) ? json_string_value(word) : "?");
        char *longer = xasprintf("%s%s%s", text, i == 0 ? "" : " ", next);
        free(text);
        text = longer;
    }
    return text_tame(text);
}

char *table_time(const json_t *job)
{
    char text[32];
    int64_t now = clock_wall_us();
    int64_t started = number_of(job, "started_at");
    int64_t ended = number_of(job, "ended_at");
    int64_t from = started > 0 ? started : number_of(job, "submitted_at");
    int64_t to = ended > 0 ? ended : now;
    format_span(to > from ? (uint64_t)(to - from) / 1000 : 0, text, sizeof(text));
    return xstrdup(text);
}

static char *submitted(const struct cli *cli, const json_t *job)
{
    int64_t at = number_of(job, "submitted_at");
    char text[40];
    if (cli->tty) {
        format_span((uint64_t)(clock_wall_us() - at) / 1000, text, sizeof(text));
        return xasprintf("%s ago", text);
    }
    time_t seconds = (time_t)(at / US_PER_SECOND);
    struct tm local;
    (void)localtime_r(&seconds, &local);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &local);
    return xstrdup(text);
}

static const char *color_of(const struct cli *cli, const char *state)
{
    if (!cli->color)
        return NULL;
    return strcmp(state, "failed") == 0      ? "red"
           : strcmp(state, "completed") == 0 ? "green"
           : strcmp(state, "running") == 0   ? "blue"
                                             : NULL;
}

#define COLUMNS 9U
#define COLUMNS_NARROW 8U

static const struct {
    const char *name;
    int flags;
} columns[COLUMNS] = {
    {"ID", SCOLS_FL_RIGHT},
    {"STATE", 0},
    {"PRIORITY", 0},
    {"USER", 0},
    {"SUBMITTED", 0},
    {"TIME", SCOLS_FL_RIGHT},
    {"RESULT", 0},
    {"NAME", SCOLS_FL_TRUNC},
    {"COMMAND", SCOLS_FL_TRUNC},
};

struct cells {
    char *text[COLUMNS]; /* owned */
};

static void fill_cells(const struct cli *cli, const json_t *job, struct cells *ret)
{
    *ret = (struct cells){{cli_id_text(job), xstrdup(text_of(job, "state")),
                           xstrdup(text_of(job, "priority")), xstrdup(text_of(job, "user")),
                           submitted(cli, job), table_time(job), table_result(job),
                           xstrdup(text_of(job, "name")), table_command(job)}};
    for (size_t i = 0; i < COLUMNS; i++)
        (void)text_tame(ret->text[i]);
}

static void free_cells(struct cells *cells)
{
    for (size_t i = 0; i < COLUMNS; i++)
        free(cells->text[i]);
}

static void add_line(const struct cli *cli, struct libscols_table *table, const json_t *job,
                     size_t count)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    struct cells cells;
    if (line == NULL)
        abort();
    fill_cells(cli, job, &cells);
    for (size_t i = 0; i < count; i++)
        (void)scols_line_set_data(line, i, cells.text[i]);
    (void)scols_line_set_color(line, color_of(cli, cells.text[1]));
    free_cells(&cells);
}

/* Tab-separated: all columns, blanks as they are. No cell has a tab or an end of line inside. */
static void print_tsv(const struct cli *cli, const json_t *jobs, bool header)
{
    const json_t *job;
    size_t row;
    for (size_t i = 0; i < COLUMNS && header; i++)
        (void)printf("%s%c", columns[i].name, i + 1 < COLUMNS ? '\t' : '\n');
    json_array_foreach((json_t *)(uintptr_t)jobs, row, job) {
        struct cells cells;
        fill_cells(cli, job, &cells);
        for (size_t i = 0; i < COLUMNS; i++)
            (void)printf("%s%c", cells.text[i], i + 1 < COLUMNS ? '\t' : '\n');
        free_cells(&cells);
    }
}

void table_print_jobs(const struct cli *cli, const json_t *jobs, const char *format, bool header)
{
    if (strcmp(format, "tsv") == 0) {
        print_tsv(cli, jobs, header);
        return;
    }
    struct libscols_table *table = scols_new_table();
    const json_t *job;
    size_t count = strcmp(format, "wide") == 0 ? COLUMNS : COLUMNS_NARROW;
    size_t i;
    if (table == NULL)
        abort();
    (void)scols_table_enable_colors(table, cli->color);
    (void)scols_table_enable_noheadings(table, !header);
    if (!cli->tty)
        (void)scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
    for (i = 0; i < count; i++)
        (void)scols_table_new_column(table, columns[i].name, 0,
                                     cli->tty ? columns[i].flags
                                              : columns[i].flags & ~SCOLS_FL_TRUNC);
    json_array_foreach((json_t *)(uintptr_t)jobs, i, job)
        add_line(cli, table, job, count);
    (void)scols_print_table(table);
    scols_unref_table(table);
}
