#include "client/table.h"

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
        return xasprintf("%lld/%lld", ended, (long long)number_of(array, "count"));
    }
    if (class == NULL)
        return json_is_number(fraction) ? xasprintf("%.0f %%", 100 * json_number_value(fraction))
                                        : xstrdup("");
    if (strcmp(class, "success") == 0)
        return xstrdup("ok");
    if (strcmp(class, "exit") == 0 || strcmp(class, "processor") == 0)
        return xasprintf("exit %lld", json_integer_value(json_object_get(outcome, "exit_code")));
    if (strcmp(class, "signal") == 0 && json_is_integer(number)) {
        const char *name = sigabbrev_np((int)json_integer_value(number));
        return xasprintf("signal %s", name == NULL ? "?" : name);
    }
    return xstrdup(class);
}

char *table_command(const json_t *job)
{
    const json_t *argv = json_object_get(job, "argv");
    const json_t *word;
    size_t i;
    char *text = xstrdup("");
    json_array_foreach(argv, i, word) {
        char *longer = xasprintf("%s%s%s", text, i == 0 ? "" : " ",
                                 json_is_string(word) ? json_string_value(word) : "?");
        free(text);
        text = longer;
    }
    return text;
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

static void add_line(const struct cli *cli, struct libscols_table *table, const json_t *job,
                     bool wide)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    CLEANUP_FREE char *id = xasprintf("%lld", (long long)number_of(job, "id"));
    CLEANUP_FREE char *result = table_result(job);
    CLEANUP_FREE char *command = table_command(job);
    CLEANUP_FREE char *when = submitted(cli, job);
    CLEANUP_FREE char *span = table_time(job);
    const char *state = text_of(job, "state");
    const char *const cells[] = {id,
                                 state,
                                 text_of(job, "priority"),
                                 text_of(job, "user"),
                                 when,
                                 span,
                                 result,
                                 text_of(job, "name"),
                                 command};
    if (line == NULL)
        abort();
    for (size_t i = 0; i < (wide ? 9U : 8U); i++)
        (void)scols_line_set_data(line, i, cells[i]);
    (void)scols_line_set_color(line, color_of(cli, state));
}

void table_print_jobs(const struct cli *cli, const json_t *jobs, const char *format, bool header)
{
    static const struct {
        const char *name;
        int flags;
    } columns[] = {
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
    struct libscols_table *table = scols_new_table();
    const json_t *job;
    size_t i;
    bool wide = strcmp(format, "wide") == 0;
    if (table == NULL)
        abort();
    (void)scols_table_enable_colors(table, cli->color);
    (void)scols_table_enable_noheadings(table, !header);
    if (strcmp(format, "tsv") == 0) {
        (void)scols_table_enable_raw(table, 1);
        (void)scols_table_set_column_separator(table, "\t");
    }
    if (!cli->tty)
        (void)scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
    for (i = 0; i < (wide ? 9U : 8U); i++)
        (void)scols_table_new_column(table, columns[i].name, 0,
                                     cli->tty ? columns[i].flags
                                              : columns[i].flags & ~SCOLS_FL_TRUNC);
    json_array_foreach((json_t *)(uintptr_t)jobs, i, job)
        add_line(cli, table, job, wide);
    (void)scols_print_table(table);
    scols_unref_table(table);
}
