/* The retry rule in requests and replies: max_attempts, rerun_if_lost, and retry{max_attempts,
 * base_ms, factor, cap_ms, jitter, on[]}. */
#ifndef BATCHD_DAEMON_API_RETRY_MEMBERS_H
#define BATCHD_DAEMON_API_RETRY_MEMBERS_H

#include "common/json.h"
#include "daemon/core/retry_rule.h"

/* What a request says of it, which may be nothing. 0, or -1 with ERROR_INVALID that names the
 * member. */
int retry_members_take(const json_t *params, struct retry_rule *ret, struct error *err);

/* {max_attempts, base_ms, factor, cap_ms, jitter, on, rerun_if_lost} of a resolved one. */
json_t *retry_members_view(const struct retry_rule *rule);

#endif
