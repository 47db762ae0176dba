/* The settings whose tables have names of the user's choice: [queues.NAME], each with the keys of
 * core/queue_settings.h, [retry.types.NAME], with those of [retry] that queues have, too, and
 * [fair_share.shares] with NAME = SHARES. */
#ifndef BATCHD_DAEMON_CONFIG_NAMES_H
#define BATCHD_DAEMON_CONFIG_NAMES_H

#include "common/toml.h"
#include "daemon/core/queue_settings.h"

#include <stdio.h>

struct config_shares {
    char *user; /* a name or a uid */
    double shares;
};

struct config_names {
    struct config_shares *shares; /* owned, as the next */
    size_t share_count;
    struct queue_config *queues; /* the first is "default" */
    size_t queue_count;
    struct retry_of_type *retry_types; /* owned */
    size_t retry_type_count;
};

void config_names_defaults(struct config_names *ret); /* the queue "default" alone */
void config_names_done(struct config_names *names);

/* 1: it is such a setting, or a table of such, and was taken; 0: it is none; -1 with err
 * (ERROR_NOT_FOUND: its key is wrong, not its value). */
int config_names_take(struct config_names *names, const struct toml_value *value,
                      struct error *err);

/* As config_print. */
void config_names_print(FILE *file, const struct config_names *names, bool example);

#endif
