/* Members of what the daemon answers. What is not there, or is of another kind, is nothing. */
#ifndef BATCHD_CLIENT_REPLY_H
#define BATCHD_CLIENT_REPLY_H

#include "common/json.h"

/* "" for nothing. Borrowed. */
const char *reply_text(const json_t *object, const char *name);
/* "-" for nothing, as tables have it. Borrowed. */
const char *reply_cell(const json_t *object, const char *name);
/* 0 for nothing. */
long long reply_number(const json_t *object, const char *name);

#endif
