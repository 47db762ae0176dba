/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How much of a damaged video there is: it is read to its end behind every fault, on one thread so
 * that each fault is seen at its packet, and counted. For results of jobs that fail because of it;
 * nothing is made of what was found. */
#ifndef BATCHD_PROCESSORS_MEDIA_DAMAGE_H
#define BATCHD_PROCESSORS_MEDIA_DAMAGE_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct source;

/* Surveys the file and adds to `result` media.LABEL and damage.LABEL {frames_expected, expected_by,
 * frames_decoded, frames_flawed, frames_lost, packets_refused, faults, first_fault {frames_before,
 * time_us, byte, what}}, and partial: whether any frame decodes. err then says it in one line.
 * false, with result and err as they were: it is not to be read at all, or nothing is wrong with
 * it. *ret_frames (may be NULL): that decode, flawed or not; *ret_duration_us (may be NULL):
 * theirs. */
bool damage_add(json_t *result, const char *path, const char *label, int64_t *ret_frames,
                int64_t *ret_duration_us, struct error *err);

/* The same as the result of a processor of one input: owned by the caller, NULL for false. */
json_t *damage_result(const struct source *source, const char *label, struct error *err);

#endif
