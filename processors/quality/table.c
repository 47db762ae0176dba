/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/quality/table.h"

#include "common/clock.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static bool ends_in_csv(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && strcasecmp(dot, ".csv") == 0;
}

static void write_head(struct table *table)
{
    (void)fputs("frame,time", table->file);
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (table->options->wanted[metric])
            (void)fprintf(table->file, ",%s", metric_names[metric]);
    }
    (void)fputc('\n', table->file);
}

int table_open(const char *staged, const char *name, const struct options *options,
               struct table *ret, struct error *err)
{
    ret->options = options;
    ret->csv = ends_in_csv(name);
    ret->file = fopen(staged, "we");
    if (ret->file == NULL) {
        (void)error_set_errno(err, "output \"%.200s\" cannot be created", name);
        err->code = ERROR_CONFLICT;
        return -1;
    }
    if (ret->csv)
        write_head(ret);
    return 0;
}

void table_close(struct table *table)
{
    if (table->file != NULL)
        (void)fclose(table->file);
    table->file = NULL;
}

static void write_value(struct table *table, enum metric metric, double value)
{
    if (!table->csv)
        (void)fprintf(table->file, ",\"%s\":", metric_names[metric]);
    else
        (void)fputc(',', table->file);
    if (isfinite(value))
        (void)fprintf(table->file, "%.6f", value);
    else
        (void)fputs(table->csv ? "inf" : "null", table->file);
}

void table_add(struct table *table, const struct frame_scores *scores)
{
    if (table->file == NULL)
        return;
    (void)fprintf(table->file,
                  table->csv ? "%" PRId64 ",%.6f" : "{\"frame\":%" PRId64 ",\"time\":%.6f",
                  table->rows++, (double)scores->time_us / US_PER_SECOND);
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (table->options->wanted[metric])
            write_value(table, (enum metric)metric, scores->of[metric].all);
    }
    (void)fputs(table->csv ? "\n" : "}\n", table->file);
}

int table_finish(struct table *table, struct error *err)
{
    if (table->file == NULL)
        return 0;
    const bool failed = ferror(table->file) != 0;
    const int closed = fclose(table->file);
    table->file = NULL;
    if (!failed && closed == 0)
        return 0;
    (void)error_set_errno(err, "output cannot be written");
    err->code = ERROR_IO;
    return -1;
}
