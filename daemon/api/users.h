/* Names of users. The system's user database may be a server on the network, and asking it stops
 * the event loop: so answers are kept, a fixed number of them, each for a while. Absent users too.
 */
#ifndef BATCHD_DAEMON_API_USERS_H
#define BATCHD_DAEMON_API_USERS_H

#include <stdint.h>

struct users;

struct users *users_new(void);
void users_free(struct users *users);

/* The name of a uid; "uid 1234" when there is none. Valid until the next call. */
const char *users_name(struct users *users, uint32_t uid);

/* The uid of a name: 0, or -1 when there is none. */
int users_find(struct users *users, const char *name, uint32_t *ret);

#endif
