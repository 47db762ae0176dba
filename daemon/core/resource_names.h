/* How resources are called: the fixed kinds, and the counters that this machine's configuration
 * names. A job keeps its counters by name, as a text, because the configuration may change while it
 * waits: "licence=2,tape=1", by name, each once. What a text names that the machine does not have
 * counts as RESOURCE_REMOVED, of which there is none: such a job waits. */
#ifndef BATCHD_DAEMON_CORE_RESOURCE_NAMES_H
#define BATCHD_DAEMON_CORE_RESOURCE_NAMES_H

#include "common/error.h"
#include "daemon/core/resources.h"

#define RESOURCE_NAME_MAX 32U
#define RESOURCE_COUNTERS_MAX ((unsigned)(RESOURCE_REMOVED - RESOURCE_COUNTER))
/* So that a sum over all jobs of a machine is far from 2^64. */
#define RESOURCE_COUNTER_LIMIT UINT64_C(1000000000000)

struct resource_names {
    char counters[RESOURCE_COUNTERS_MAX][RESOURCE_NAME_MAX + 1]; /* of RESOURCE_COUNTER + i */
    unsigned count;
};

/* Whether a counter may be called so: [a-z][a-z0-9_-]{0,31}, and nothing that is or looks like a
 * fixed kind, so that a slip of the pen does not make a counter. 0, or -1 with ERROR_INVALID. */
int resource_name_check(const char *name, struct error *err);

/* The kind of this name, of a new counter if there is room: else -1. The name was checked. */
int resource_names_add(struct resource_names *names, const char *name);
/* The kind of this name, fixed ones too ("cpus", "memory", "gpus", "disk"), or -1. */
int resource_names_find(const struct resource_names *names, const char *name);
/* The name of a fixed kind or of a counter that is there. */
const char *resource_names_word(const struct resource_names *names, enum resource_kind kind);
/* All counters with commas between them, "none" if there are none. The caller frees. */
char *resource_names_list(const struct resource_names *names);

/* The counters of `wanted` as a text, NULL if there are none. The caller frees. */
char *resource_counters_text(const struct resource_names *names, const struct resources *wanted);
/* Adds what the text (may be NULL) asks for to *wanted. */
void resource_counters_add(const struct resource_names *names, const char *text,
                           struct resources *wanted);
/* The next of a text, which moves on; false: there is none. */
bool resource_counters_next(const char **text, char ret_name[RESOURCE_NAME_MAX + 1],
                            uint64_t *ret_amount);

#endif
