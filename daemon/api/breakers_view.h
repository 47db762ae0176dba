/* Circuit breakers as replies show them. */
#ifndef BATCHD_DAEMON_API_BREAKERS_VIEW_H
#define BATCHD_DAEMON_API_BREAKERS_VIEW_H

#include "daemon/api/verb.h"
#include "daemon/engine/breakers.h"

json_t *view_breaker(const struct api *api, const struct breaker_entry *entry);
/* Those that are not closed, of those that the caller may see, at most `most`. */
json_t *view_breakers_at_work(const struct api_call *call, size_t most);
/* Names and types: their owner's; queues are everybody's to see. */
bool breaker_may_see(const struct api_call *call, const struct breaker_entry *entry);

#endif
