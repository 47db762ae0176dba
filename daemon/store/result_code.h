/* What a result of SQLite means to us. Damage is kept apart from all that may be gone at the next try
 * (memory, the disk): batchd is not started again after it. */
#ifndef BATCHD_DAEMON_STORE_RESULT_CODE_H
#define BATCHD_DAEMON_STORE_RESULT_CODE_H

#include "common/error.h"

enum error_code error_of_result(int code);

#endif
