/* The columns that a table of jobs may have: what each says of a job, and how jobs are sorted by
 * it.
 */
#ifndef BATCHD_CLIENT_COLUMNS_H
#define BATCHD_CLIENT_COLUMNS_H

#include "client/cli.h"

#define COLUMNS_MAX 32U

struct column;

/* The columns of a table, in their order. */
struct column_list {
    const struct column *items[COLUMNS_MAX];
    size_t count;
};

/* "id,state,time". 0, or the exit code after reporting. */
int columns_choose(const char *names, struct column_list *ret);
/* For -o `format` (table, wide, tsv); with `queues` a table has the column QUEUE too. */
struct column_list columns_of(const char *format, bool queues);

/* Sorts an array of jobs by "COLUMN,-COLUMN...", a minus for the largest first, and what is alike
 * by id. 0, or the exit code after reporting. */
int columns_sort(const struct cli *cli, json_t *jobs, const char *keys);

const char *column_name(const struct column *column);
bool column_is_right(const struct column *column);
bool column_is_cut(const struct column *column); /* when the terminal is too narrow */
/* A cell, tame (text.h). The caller frees. */
char *column_text(const struct cli *cli, const struct column *column, const json_t *job);

#endif
