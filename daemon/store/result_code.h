/* What a result of SQLite means to us. Damage is kept apart from all that may be gone at the next
 * try (memory, the disk): batchd is not started again after it. */
#ifndef BATCHD_DAEMON_STORE_RESULT_CODE_H
#define BATCHD_DAEMON_STORE_RESULT_CODE_H

#include "common/error.h"

#include <sqlite3.h>

/* SQLite calls a file that the disk does not give (EIO) corrupt, too; `handle` tells. */
enum error_code error_of_result(sqlite3 *handle, int code);

#endif
