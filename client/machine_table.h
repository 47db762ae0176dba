/* What the machine was like, minute by minute, as tables: of all of it at most 48 lines; of the
 * processors by class, and of each disk and GPU, at most 24. */
#ifndef BATCHD_CLIENT_MACHINE_TABLE_H
#define BATCHD_CLIENT_MACHINE_TABLE_H

#include "client/cli.h"

void machine_table_print(const struct cli *cli, const json_t *minutes);

#endif
