/* A plain table of texts: aligned columns, no colour, whole in a pipe (libsmartcols). */
#ifndef BATCHD_CLIENT_GRID_H
#define BATCHD_CLIENT_GRID_H

#include "client/cli.h"

struct libscols_table;

/* Columns named in a NULL-terminated list; a name that begins with '>' is aligned to the right (the
 * sign is not shown). The last wraps on a terminal that is too narrow. */
struct libscols_table *grid_new(const struct cli *cli, const char *const *columns);
/* One line of as many texts, NULL-terminated; they are tamed (text.h). */
void grid_add(struct libscols_table *table, const char *const *cells);
/* What -q prints of a list: by this member of each it is named in commands; tame, one a line. */
void grid_print_names(const json_t *list, const char *member);
/* Prints to standard output and frees. */
void grid_print(struct libscols_table *table);

#endif
