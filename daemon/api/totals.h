/* Sums over what has ended, by user, queue, name or type, as the rows of it are read part by part.
 */
#ifndef BATCHD_DAEMON_API_TOTALS_H
#define BATCHD_DAEMON_API_TOTALS_H

#include "daemon/api/users.h"
#include "daemon/store/total_rows.h"

#include <jansson.h>

enum total_by { TOTAL_BY_USER, TOTAL_BY_QUEUE, TOTAL_BY_NAME, TOTAL_BY_TYPE, TOTAL_BY_COUNT };

struct totals;

/* Of one user, or of all. */
struct totals *totals_new(enum total_by by, bool all, uint32_t uid);
void totals_free(struct totals *totals);

/* An ended_fn. */
void totals_add(void *arg, const struct ended *ended);

/* The word of the protocol. */
const char *total_by_word(enum total_by by);

/* At most `most` groups, those with the most jobs first; *ret_left_out counts the jobs of the
 * others. New reference. */
json_t *totals_view(const struct totals *totals, struct users *users, size_t most,
                    uint64_t *ret_left_out);

#endif
