/* NAME=VALUE, as options of several verbs take it. */
#ifndef BATCHD_CLIENT_PAIR_H
#define BATCHD_CLIENT_PAIR_H

#include "common/json.h"

/* object[NAME] = VALUE, for the wire. 0, or EXIT_USAGE after reporting, with the option's name. */
int pair_take(json_t *object, const char *option, const char *text);

#endif
