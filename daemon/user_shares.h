/* The shares of the configuration, by uid: names are looked up in the system's user database once,
 * at the start. */
#ifndef BATCHD_DAEMON_USER_SHARES_H
#define BATCHD_DAEMON_USER_SHARES_H

#include "daemon/config.h"
#include "daemon/engine/options.h"

/* Those of users that there are; a name that nobody has is told of in the log. The caller frees. */
struct user_shares *user_shares_find(const struct config *config, size_t *ret_count);

#endif
