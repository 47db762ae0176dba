/* The different resource requests of all jobs, each kept once and counted: a million jobs ask for
 * a handful of different things, and a job keeps a number of four bytes. */
#ifndef BATCHD_DAEMON_CORE_REQUEST_TABLE_H
#define BATCHD_DAEMON_CORE_REQUEST_TABLE_H

#include "daemon/core/resources.h"

struct request_table;

struct request_table *request_table_new(void);
void request_table_free(struct request_table *table);

/* The number of this request, with one more holder. It is valid until as many releases. */
uint32_t request_table_take(struct request_table *table, const struct resources *wanted);
void request_table_hold(struct request_table *table, uint32_t number); /* one more holder */
void request_table_release(struct request_table *table, uint32_t number);

/* Valid until the next take. */
const struct resources *request_table_at(const struct request_table *table, uint32_t number);

/* Whether `is` says so of any that somebody holds. */
bool request_table_any(const struct request_table *table,
                       bool (*is)(void *arg, const struct resources *wanted), void *arg);

#endif
