/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The file with the values of each pair: frame number, time in the reference in seconds, and each
 * metric over all planes. CSV with a head line when the name ends in .csv (equal frames: inf), else
 * a JSON object a line (equal frames: null). */
#ifndef BATCHD_PROCESSORS_QUALITY_TABLE_H
#define BATCHD_PROCESSORS_QUALITY_TABLE_H

#include "processors/quality/scores.h"

#include <stdio.h>

struct table {
    const struct options *options; /* borrowed */
    FILE *file;                    /* NULL: no table is wanted */
    bool csv;
    int64_t rows;
};

/* `staged` is where it is written, `name` what it is to be called. *ret must be zeroed; table_close
 * in any case. */
int table_open(const char *staged, const char *name, const struct options *options,
               struct table *ret, struct error *err);
void table_close(struct table *table);

/* Failures show in table_finish. */
void table_add(struct table *table, const struct frame_scores *scores);
/* All of it to the kernel. -1 with ERROR_IO. */
int table_finish(struct table *table, struct error *err);

#endif
