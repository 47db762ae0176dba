/* What the machine was like, minute by minute, as a table of at most 48 lines. */
#ifndef BATCHD_CLIENT_MACHINE_TABLE_H
#define BATCHD_CLIENT_MACHINE_TABLE_H

#include "client/cli.h"

void machine_table_print(const struct cli *cli, const json_t *minutes);

#endif
