/* The number in a store's header that says of which version its schema is and which write-ahead log
 * follows it; SQLite calls it the user version. The lower 8 bits are the version. From version 7 on
 * the other 23 are the store's link: it comes by chance when the store is made or brought to that
 * version, and to each backup, and the first commit of each log makes it one more. So a log belongs
 * to the store whose link one of its commits has (the log was copied into the store, in part or as
 * a whole), or whose link is the one before its first commit's. */
#ifndef BATCHD_DAEMON_STORE_STAMP_H
#define BATCHD_DAEMON_STORE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

unsigned stamp_version(uint32_t stamp);
/* Whether stores of its version have a link. */
bool stamp_is_linked(uint32_t stamp);

/* The same version with a link by chance. */
uint32_t stamp_random(uint32_t stamp);
/* The same version with the next link. */
uint32_t stamp_next(uint32_t stamp);
/* The next version, in a commit that may be the first of a log. */
uint32_t stamp_raised(uint32_t stamp);

/* Whether a log whose commit has `found` belongs to the store with `stamp`. */
bool stamp_is_followed(uint32_t stamp, uint32_t found, bool first);

#endif
