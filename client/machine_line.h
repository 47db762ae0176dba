/* The line of `batchctl status` on the machine itself. */
#ifndef BATCHD_CLIENT_MACHINE_LINE_H
#define BATCHD_CLIENT_MACHINE_LINE_H

#include "common/json.h"

/* Status's `machine`; what the daemon does not know is left out, and the line with it. */
void machine_line_print(const json_t *machine);

#endif
