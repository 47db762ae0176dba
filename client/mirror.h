/* The exit code that says how a job ended (batchctl(1), EXIT STATUS). */
#ifndef BATCHD_CLIENT_MIRROR_H
#define BATCHD_CLIENT_MIRROR_H

#include "client/cli.h"

/* The code, and a line about it on stderr where it needs one. */
int mirror_job(const struct cli *cli, const json_t *job);

#endif
