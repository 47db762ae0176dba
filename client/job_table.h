/* Jobs as a table: fits the terminal, is whole and plain in a pipe (libsmartcols). */
#ifndef BATCHD_CLIENT_JOB_TABLE_H
#define BATCHD_CLIENT_JOB_TABLE_H

#include "client/columns.h"

/* With `tsv` the cells have tabs between them and nothing is aligned. */
void job_table_print(const struct cli *cli, FILE *file, const json_t *jobs,
                     const struct column_list *columns, bool tsv, bool header);

#endif
