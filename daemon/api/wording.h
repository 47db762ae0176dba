/* Counts with their nouns: "1 job", "2 jobs". */
#ifndef BATCHD_DAEMON_API_WORDING_H
#define BATCHD_DAEMON_API_WORDING_H

#include "daemon/core/resource_names.h"

/* Owned. `more` is put between: "2 more jobs"; NULL: nothing. */
char *wording_count(uint64_t count, const char *more, const char *noun);

/* "1 cpu", "4 cpus", "1.0G memory", and of a counter, whose name stays as it is, "2 of licence".
 * Owned. */
char *wording_amount(const struct resource_names *names, enum resource_kind kind, uint64_t amount,
                     const char *more);
/* The number of it alone: "4", "1.0G". Owned. */
char *wording_number(enum resource_kind kind, uint64_t amount);

#endif
