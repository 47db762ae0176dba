/* What a job wrote, as the daemon streams it: parts {stream, data, time_us} in the order of
 * writing. An attempt's parts hold the same bytes in the same order each time they are asked for.
 */
#ifndef BATCHD_CLIENT_OUTPUT_H
#define BATCHD_CLIENT_OUTPUT_H

#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>

size_t output_bytes(const json_t *part);
/* The part without its first `from` bytes. New reference. */
json_t *output_behind(const json_t *part, size_t from);
/* The first (head) or last so many lines of an array of parts; the part in which they begin or end
 * is cut. New reference. */
json_t *output_lines(const json_t *parts, uint64_t lines, bool head);

#endif
