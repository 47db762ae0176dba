/* Sums over what has ended by its name, as the rows of the jobs are read part by part: there is no
 * end to the names that may be, so nothing is summed up of them beforehand. */
#ifndef BATCHD_DAEMON_API_TOTALS_H
#define BATCHD_DAEMON_API_TOTALS_H

#include "daemon/store/total_rows.h"

#include <jansson.h>

struct totals;

/* Of one user, or of all. */
struct totals *totals_new(bool all, uint32_t uid);
void totals_free(struct totals *totals);

/* An ended_fn. */
void totals_add(void *arg, const struct ended *ended);

/* At most `most` groups, those with the most jobs first; *ret_left_out counts the jobs of the
 * others. New reference. */
json_t *totals_view(const struct totals *totals, size_t most, uint64_t *ret_left_out);

#endif
