#include "daemon/store/result_code.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static bool unread(sqlite3_file *file)
{
    int number = 0;
    return file != NULL && file->pMethods != NULL &&
           file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &number) == SQLITE_OK &&
           number == EIO;
}

static bool disk_failed(sqlite3 *handle)
{
    sqlite3_file *store = NULL;
    sqlite3_file *wal = NULL;
    (void)sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &store);
    (void)sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    return unread(store) || unread(wal);
}

enum error_code error_of_result(sqlite3 *handle, int code)
{
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return disk_failed(handle) ? ERROR_IO : ERROR_DAMAGED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERROR_BUSY;
    case SQLITE_CONSTRAINT:
        return ERROR_CONFLICT;
    default:
        return ERROR_IO;
    }
}
