/* Sums of what happened to jobs since a minute, by queue, type or user, as the rows of it are read
 * part by part (store/rollup_rows.h); and how they are told. */
#ifndef BATCHD_DAEMON_API_RATES_H
#define BATCHD_DAEMON_API_RATES_H

#include "daemon/api/users.h"
#include "daemon/store/rollup_rows.h"

#include <jansson.h>

/* By name nothing is summed up beforehand (totals.h). */
enum rate_by { RATE_BY_USER, RATE_BY_QUEUE, RATE_BY_NAME, RATE_BY_TYPE, RATE_BY_COUNT };

struct rates;

/* The word of the protocol. */
const char *rate_by_word(enum rate_by by);

/* Of one user, or of all. By name there are no groups, and only the sum of all. */
struct rates *rates_new(enum rate_by by, bool all, uint32_t uid);
void rates_free(struct rates *rates);

/* A rollup_fn. */
void rates_add(void *arg, const struct rollup_key *key, const struct rollup *rollup);

/* The span that rates are told for: from the first minute that is known, or `since` if that is
 * later, until now. */
void rates_set_span(struct rates *rates, int64_t since, int64_t now);

/* Of all groups together, and of each, those with the most jobs first; *ret_left_out counts what
 * ended of the others. New references. */
json_t *rates_view_sum(const struct rates *rates);
json_t *rates_view(const struct rates *rates, struct users *users, uint64_t *ret_left_out);

#endif
