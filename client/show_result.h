/* What a processor made, in the words of `batchctl show`: batchd-result(7) says what there is, and
 * show --json has all of it. */
#ifndef BATCHD_CLIENT_SHOW_RESULT_H
#define BATCHD_CLIENT_SHOW_RESULT_H

#include "common/json.h"

/* Lines to stdout; `result` may be NULL or null. */
void show_result(const json_t *result);

#endif
