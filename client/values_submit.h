/* A submit whose tasks have values: in one request when they fit, else in parts before it. */
#ifndef BATCHD_CLIENT_VALUES_SUBMIT_H
#define BATCHD_CLIENT_VALUES_SUBMIT_H

#include "client/cli.h"
#include "client/values.h"

/* Submits `request` (borrowed) with all of `values`. The request's key makes it safe to begin anew
 * when the daemon goes away meanwhile. NULL after reporting, with *ret_code. */
json_t *values_submit(struct cli *cli, const json_t *request, struct values *values, int *ret_code);

#endif
