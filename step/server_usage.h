/* What a job in a server used: as the server says, or else what the server used meanwhile. Told to
 * the worker by a note. */
#ifndef BATCHD_STEP_SERVER_USAGE_H
#define BATCHD_STEP_SERVER_USAGE_H

#include "common/json.h"
#include <stdint.h>
#include <sys/types.h>

struct usage {
    uint64_t user_us, system_us; /* of it and its reaped children, in steps of the clock tick */
    uint64_t max_rss_bytes;      /* the most that it had since server_usage_begin */
};

/* Its peak of memory begins anew, where the kernel lets us. */
void server_usage_begin(pid_t server);
/* Zeros where it cannot be read. */
void server_usage_read(pid_t server, struct usage *ret);
/* `told`: the member "usage" of its result, or NULL. */
void server_usage_tell(const json_t *told, const struct usage *before, const struct usage *after);

#endif
