/* batchctl stats --machine: what the machine was like. */
#include "client/machine_table.h"

#include "client/grid.h"
#include "client/times.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_BYTES 48
/* So many lines at most: of longer spans several minutes are one line. Of what is told beside the
 * first table fewer. */
#define LINES_MAX 48U
#define MORE_LINES_MAX 24U
#define COLUMNS_MAX 8U

enum unit { UNIT_PART, UNIT_LOAD, UNIT_BYTES, UNIT_NUMBER };

struct figure {
    const char *key;
    enum unit unit;
    bool least; /* what is told beside the mean is the lowest */
};

/* One table: NULL-terminated columns, and the figures of all but the first ones. */
struct kind {
    const char *title;
    const char *list,
        *name; /* of a part of the machine: its list in a minute, and its name there */
    const char *columns[COLUMNS_MAX + 1];
    struct figure figures[COLUMNS_MAX];
};

static const struct kind whole = {.title = "the machine, mean / highest",
                                  .columns = {"FROM", ">CPU", ">LOAD", ">MEMORY", ">SWAP",
                                              ">CPU PRESSURE", ">MEMORY PRESSURE", ">IO PRESSURE"},
                                  .figures = {{"cpu", UNIT_PART, false},
                                              {"load", UNIT_LOAD, false},
                                              {"memory", UNIT_PART, false},
                                              {"swap", UNIT_PART, false},
                                              {"cpu_pressure", UNIT_PART, false},
                                              {"memory_pressure", UNIT_PART, false},
                                              {"io_pressure", UNIT_PART, false}}};
static const struct kind classes = {
    .title = "the processors' time by class, mean / highest",
    .columns = {"FROM", ">USER", ">NICE", ">SYSTEM", ">IOWAIT", ">IRQ", ">SOFTIRQ", ">STEAL"},
    .figures = {{"cpu_user", UNIT_PART, false},
                {"cpu_nice", UNIT_PART, false},
                {"cpu_system", UNIT_PART, false},
                {"cpu_iowait", UNIT_PART, false},
                {"cpu_irq", UNIT_PART, false},
                {"cpu_softirq", UNIT_PART, false},
                {"cpu_steal", UNIT_PART, false}}};
static const struct kind disks = {
    .title = "disks, mean / least",
    .list = "disks",
    .name = "path",
    .columns = {"FROM", ">FREE", ">INODES FREE", "DISK"},
    .figures = {{"free_bytes", UNIT_BYTES, true}, {"inodes_free", UNIT_NUMBER, true}}};
static const struct kind gpus = {.title = "GPUs, mean / highest",
                                 .list = "gpus",
                                 .name = "gpu",
                                 .columns = {"FROM", ">BUSY", ">MEMORY", ">CELSIUS", "GPU"},
                                 .figures = {{"busy", UNIT_PART, false},
                                             {"memory_used_bytes", UNIT_BYTES, false},
                                             {"temperature", UNIT_NUMBER, false}}};

/* Minutes that are one line, and what was seen of a figure in them. */
struct span {
    const json_t *minutes;
    size_t first, end;
};
struct seen {
    size_t count;
    double sum, lowest, highest; /* of the means */
};

static double number_at(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* The part of that name in a minute; NULL: it is not there. */
static const json_t *part_of(const json_t *minute, const struct kind *kind, const char *name)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(minute, kind->list), i, one) {
        const char *its = json_string_value(json_object_get(one, kind->name));
        if (its != NULL && strcmp(its, name) == 0)
            return one;
    }
    return NULL;
}

static struct seen look(const struct span *span, const struct kind *kind, const char *name,
                        const char *key)
{
    struct seen seen = {.count = 0};
    for (size_t i = span->first; i < span->end; i++) {
        const json_t *of = json_array_get(span->minutes, i);
        const json_t *figure = json_object_get(name == NULL ? of : part_of(of, kind, name), key);
        if (!json_is_object(figure))
            continue;
        const double lowest = number_at(figure, "lowest");
        const double highest = number_at(figure, "highest");
        seen.sum += number_at(figure, "mean");
        seen.lowest = seen.count == 0 || lowest < seen.lowest ? lowest : seen.lowest;
        seen.highest = highest > seen.highest ? highest : seen.highest;
        seen.count++;
    }
    return seen;
}

/* "12% / 80%": the mean of the means, and the highest or the lowest. */
static const char *cell_of(const struct seen *seen, const struct figure *figure,
                           char ret[CELL_BYTES])
{
    const double mean = seen->count == 0 ? 0 : seen->sum / (double)seen->count;
    const double end = figure->least ? seen->lowest : seen->highest;
    char texts[2][CELL_BYTES / 2 - 2];
    if (seen->count == 0)
        return "-";
    if (figure->unit == UNIT_LOAD) {
        (void)snprintf(ret, CELL_BYTES, "%.1f / %.1f", mean, end);
    } else if (figure->unit == UNIT_PART) {
        (void)snprintf(ret, CELL_BYTES, "%.0f%% / %.0f%%", 100 * mean, 100 * end);
    } else if (figure->unit == UNIT_NUMBER) {
        (void)snprintf(ret, CELL_BYTES, "%.0f / %.0f", mean, end);
    } else {
        format_size((uint64_t)mean, texts[0], sizeof(texts[0]));
        format_size((uint64_t)end, texts[1], sizeof(texts[1]));
        (void)snprintf(ret, CELL_BYTES, "%s / %s", texts[0], texts[1]);
    }
    return ret;
}

static void add_line(struct libscols_table *table, const struct span *span, const struct kind *kind,
                     const char *name)
{
    char cells[COLUMNS_MAX][CELL_BYTES];
    const char *line[COLUMNS_MAX + 2] = {NULL};
    size_t at = 0;
    size_t known = 0;
    CLEANUP_FREE char *from = times_clock(
        json_integer_value(json_object_get(json_array_get(span->minutes, span->first), "at")));
    line[at++] = from;
    for (const struct figure *figure = kind->figures; figure->key != NULL; figure++, at++) {
        const struct seen seen = look(span, kind, name, figure->key);
        line[at] = cell_of(&seen, figure, cells[at]);
        known += seen.count;
    }
    line[at] = name;
    if (name == NULL || known > 0) /* it was not always there */
        grid_add(table, line);
}

static void add_lines(struct libscols_table *table, const json_t *minutes, const struct kind *kind,
                      const char *name)
{
    const size_t count = json_array_size(minutes);
    const size_t most = kind == &whole ? LINES_MAX : MORE_LINES_MAX;
    const size_t step = (count + most - 1) / most;
    for (size_t i = 0; i < count; i += step) {
        const size_t end = i + step < count ? i + step : count;
        add_line(table, &(struct span){.minutes = minutes, .first = i, .end = end}, kind, name);
    }
}

/* The names of all that were there in some minute, each once; borrowed, the array is the caller's.
 */
static const char **name_all(const json_t *minutes, const struct kind *kind, size_t *ret_count)
{
    const char **names = NULL;
    const json_t *minute, *one;
    size_t i, j;
    *ret_count = 0;
    json_array_foreach((json_t *)(uintptr_t)minutes, i, minute) {
        json_array_foreach(json_object_get(minute, kind->list), j, one) {
            const char *name = json_string_value(json_object_get(one, kind->name));
            size_t at = 0;
            while (name != NULL && at < *ret_count && strcmp(names[at], name) != 0)
                at++;
            if (name == NULL || at < *ret_count)
                continue;
            names = xreallocarray((void *)names, *ret_count + 1, sizeof(*names));
            names[(*ret_count)++] = name;
        }
    }
    return names;
}

static void print_whole(const struct cli *cli, const json_t *minutes, const struct kind *kind)
{
    struct libscols_table *table = grid_new(cli, kind->columns);
    add_lines(table, minutes, kind, NULL);
    (void)printf("\n%s:\n", kind->title);
    grid_print(table);
}

/* One after the other. */
static void print_parts(const struct cli *cli, const json_t *minutes, const struct kind *kind)
{
    size_t count;
    const char **names = name_all(minutes, kind, &count);
    if (count > 0) {
        struct libscols_table *table = grid_new(cli, kind->columns);
        for (size_t i = 0; i < count; i++)
            add_lines(table, minutes, kind, names[i]);
        (void)printf("\n%s:\n", kind->title);
        grid_print(table);
    }
    free((void *)names);
}

void machine_table_print(const struct cli *cli, const json_t *minutes)
{
    print_whole(cli, minutes, &whole);
    print_whole(cli, minutes, &classes);
    print_parts(cli, minutes, &disks);
    print_parts(cli, minutes, &gpus);
}
