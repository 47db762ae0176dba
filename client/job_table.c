#include "client/job_table.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <libsmartcols.h>
#include <string.h>

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
                     const struct column_list *columns)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    if (line == NULL)
        out_of_memory();
    for (size_t i = 0; i < columns->count; i++) {
        CLEANUP_FREE char *text = column_text(cli, columns->items[i], job);
        (void)scols_line_set_data(line, i, text);
    }
    (void)scols_line_set_color(line,
                               color_of(cli, json_string_value(json_object_get(job, "state"))));
}

/* Tab-separated, blanks as they are. No cell has a tab or an end of line inside. */
static void print_tsv(const struct cli *cli, FILE *file, const json_t *jobs,
                      const struct column_list *columns, bool header)
{
    const json_t *job;
    size_t row;
    for (size_t i = 0; i < columns->count && header; i++)
        (void)fprintf(file, "%s%c", column_name(columns->items[i]),
                      i + 1 < columns->count ? '\t' : '\n');
    json_array_foreach((json_t *)(uintptr_t)jobs, row, job) {
        for (size_t i = 0; i < columns->count; i++) {
            CLEANUP_FREE char *text = column_text(cli, columns->items[i], job);
            (void)fprintf(file, "%s%c", text, i + 1 < columns->count ? '\t' : '\n');
        }
    }
}

static int flags_of(const struct cli *cli, const struct column *column)
{
    return (column_is_right(column) ? SCOLS_FL_RIGHT : 0) |
           (column_is_cut(column) && cli->tty ? SCOLS_FL_TRUNC : 0);
}

void job_table_print(const struct cli *cli, FILE *file, const json_t *jobs,
                     const struct column_list *columns, bool tsv, bool header)
{
    if (tsv) {
        print_tsv(cli, file, jobs, columns, header);
        return;
    }
    struct libscols_table *table = scols_new_table();
    const json_t *job;
    size_t i;
    if (table == NULL)
        out_of_memory();
    (void)scols_table_set_stream(table, file);
    (void)scols_table_enable_colors(table, cli->color);
    (void)scols_table_enable_noheadings(table, !header);
    if (!cli->tty)
        (void)scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
    for (i = 0; i < columns->count; i++)
        (void)scols_table_new_column(table, column_name(columns->items[i]), 0,
                                     flags_of(cli, columns->items[i]));
    json_array_foreach((json_t *)(uintptr_t)jobs, i, job)
        add_line(cli, table, job, columns);
    (void)scols_print_table(table);
    scols_unref_table(table);
}
