/* What batchd said until a moment, read from what it sent, and whether a store keeps it: replies
 * and events to clients, and what workers were told. */
#ifndef BATCHD_TESTS_POWER_CLAIMS_H
#define BATCHD_TESTS_POWER_CLAIMS_H

#include "common/error.h"
#include "daemon/store/db.h"
#include "tests/power/trace.h"

struct claims;

/* `acknowledged` is a file with the id and the number of each job that a client knows of. NULL when
 * it cannot be read. */
struct claims *claims_new(const char *acknowledged);
void claims_free(struct claims *claims);

/* The next record: what is sent is read. */
void claims_apply(struct claims *claims, const struct trace_head *head, const uint8_t *data);

struct claims_count {
    uint64_t submits, results, starts; /* said so far */
    uint64_t lost, invented;           /* found by claims_check */
};

/* Compares the store with what was said. 0; 1 and the first difference in err; -1: it cannot be
 * read.
 */
int claims_check(struct claims *claims, struct db *db, struct claims_count *ret, struct error *err);

#endif
