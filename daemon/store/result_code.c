#include "daemon/store/result_code.h"

#include <sqlite3.h>

enum error_code error_of_result(int code)
{
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return ERROR_DAMAGED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERROR_BUSY;
    case SQLITE_CONSTRAINT:
        return ERROR_CONFLICT;
    default:
        return ERROR_IO;
    }
}
