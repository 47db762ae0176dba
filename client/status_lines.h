/* What `batchctl status` and `top` say of the daemon, its workers and the machine, a line each. */
#ifndef BATCHD_CLIENT_STATUS_LINES_H
#define BATCHD_CLIENT_STATUS_LINES_H

#include "common/json.h"

#include <stdio.h>

/* The reply of Status. What is well, or not known, has no line. */
/* How many workers there are to be, and why; nothing of a daemon that does not say. */
void status_lines_scaling(FILE *file, const json_t *scaling);
void status_lines_print(FILE *file, const json_t *status);

#endif
