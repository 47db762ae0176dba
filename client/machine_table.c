/* batchctl stats --machine: what the machine was like. */
#include "client/machine_table.h"

#include "client/grid.h"
#include "client/times.h"

#include "common/cleanup.h"

#include <stdio.h>
#include <string.h>

#define CELL_BYTES 32
/* So many lines at most: of longer spans several minutes are one line. */
#define LINES_MAX 48U

static const char *const figures[] = {
    "cpu", "load", "memory", "swap", "cpu_pressure", "memory_pressure", "io_pressure"};
#define FIGURES (sizeof(figures) / sizeof(figures[0]))

/* "12% / 80%" of `count` minutes from `first` on: the mean of the means, and the highest. */
static const char *figure_cell(const json_t *minutes, size_t first, size_t count, const char *key,
                               char ret[CELL_BYTES])
{
    double sum = 0;
    double highest = 0;
    size_t known = 0;
    for (size_t i = first; i < first + count && i < json_array_size(minutes); i++) {
        const json_t *figure = json_object_get(json_array_get(minutes, i), key);
        if (!json_is_object(figure))
            continue;
        double most = json_number_value(json_object_get(figure, "highest"));
        sum += json_number_value(json_object_get(figure, "mean"));
        highest = most > highest ? most : highest;
        known++;
    }
    if (known == 0)
        return "-";
    if (strcmp(key, "load") == 0)
        (void)snprintf(ret, CELL_BYTES, "%.1f / %.1f", sum / (double)known, highest);
    else
        (void)snprintf(ret, CELL_BYTES, "%.0f%% / %.0f%%", 100 * sum / (double)known,
                       100 * highest);
    return ret;
}

void machine_table_print(const struct cli *cli, const json_t *minutes)
{
    static const char *const columns[] = {
        "FROM",         ">CPU", ">LOAD", ">MEMORY", ">SWAP", ">CPU PRESSURE", ">MEMORY PRESSURE",
        ">IO PRESSURE", NULL};
    const size_t count = json_array_size(minutes);
    const size_t step = (count + LINES_MAX - 1) / LINES_MAX;
    struct libscols_table *table = grid_new(cli, columns);
    for (size_t i = 0; i < count; i += step) {
        char cells[FIGURES][CELL_BYTES];
        const char *line[FIGURES + 2] = {NULL};
        CLEANUP_FREE char *at =
            times_clock(json_integer_value(json_object_get(json_array_get(minutes, i), "at")));
        line[0] = at;
        for (size_t f = 0; f < FIGURES; f++)
            line[f + 1] = figure_cell(minutes, i, step, figures[f], cells[f]);
        grid_add(table, line);
    }
    (void)printf("\nthe machine, mean / highest:\n");
    grid_print(table);
}
