#include "client/grid.h"

#include "client/text.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <libsmartcols.h>

struct libscols_table *grid_new(const struct cli *cli, const char *const *columns)
{
    struct libscols_table *table = scols_new_table();
    if (table == NULL)
        out_of_memory();
    if (!cli->tty)
        (void)scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
    for (; *columns != NULL; columns++) {
        bool right = **columns == '>';
        int wrap = cli->tty && columns[1] == NULL ? SCOLS_FL_WRAP : 0;
        (void)scols_table_new_column(table, *columns + right, 0, right ? SCOLS_FL_RIGHT : wrap);
    }
    return table;
}

void grid_add(struct libscols_table *table, const char *const *cells)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    if (line == NULL)
        out_of_memory();
    for (size_t i = 0; cells[i] != NULL; i++) {
        CLEANUP_FREE char *cell = text_tame(xstrdup(cells[i]));
        (void)scols_line_set_data(line, i, cell);
    }
}

void grid_print(struct libscols_table *table)
{
    (void)scols_print_table(table);
    scols_unref_table(table);
}

void grid_print_names(const json_t *list, const char *member)
{
    size_t i;
    const json_t *one;
    json_array_foreach((json_t *)(uintptr_t)list, i, one) {
        const char *name = json_string_value(json_object_get(one, member));
        CLEANUP_FREE char *tame = text_tame(xstrdup(name == NULL ? "" : name));
        (void)puts(tame);
    }
}
