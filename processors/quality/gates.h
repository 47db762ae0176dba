/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the job was told that the means must reach. */
#ifndef BATCHD_PROCESSORS_QUALITY_GATES_H
#define BATCHD_PROCESSORS_QUALITY_GATES_H

#include "processors/quality/scores.h"

/* [{"metric", "min", "mean", "passed"}]; owned by the caller. */
json_t *gates_facts(const struct scores *scores);

/* 0, or -1 with ERROR_LIMIT and the first figure that is below its limit. */
int gates_check(const struct scores *scores, struct error *err);

#endif
