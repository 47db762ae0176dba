#include "daemon/store/store_file.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "daemon/store/log_file.h"
#include "daemon/store/schema_sql.h"
#include "daemon/store/stamp.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Places in the header (sqlite.org/fileformat.html). */
#define SCHEMA_FORMAT_AT 44U
#define SCHEMA_FORMAT_MAX 4U /* that SQLite knows; of another it says no more than "error" */
#define USER_VERSION_AT 60U
#define APPLICATION_AT 68U
#define LOOKED_AT_BYTES 72U

static uint32_t load(const uint8_t *at)
{
    return (uint32_t)at[0] << 24U | (uint32_t)at[1] << 16U | (uint32_t)at[2] << 8U | at[3];
}

static bool has_bytes(const char *path, const char *ending)
{
    CLEANUP_FREE char *name = xasprintf("%s%s", path, ending);
    struct stat found;
    return stat(name, &found) == 0 && found.st_size > 0;
}

/* Its beginning. The number of bytes, 0 when it is not there; -1. */
static int read_header(const char *path, uint8_t header[LOOKED_AT_BYTES], struct error *err)
{
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT ? 0 : error_set_errno(err, "cannot open %s", path);
    size_t got = fread(header, 1, LOOKED_AT_BYTES, file);
    if (ferror(file) != 0)
        return error_set_errno(err, "cannot read %s", path);
    return (int)got;
}

/* SQLite would make a new store and delete the log. */
static int check_absent(const char *path, struct error *err)
{
    if (!has_bytes(path, "-wal"))
        return 0;
    return error_set(
        err, ERROR_DAMAGED,
        "%s-wal is the log of a store that is not there: put the store back, or remove "
        "the log to begin anew",
        path);
}

/* The log of a store of before there were links may be any. */
static int check_log(const char *path, uint32_t stamp, struct error *err)
{
    CLEANUP_FREE char *log = xasprintf("%s-wal", path);
    return stamp_is_linked(stamp) ? log_file_check(log, stamp, err) : 0;
}

int store_file_check(const char *path, uint32_t *ret_stamp, struct error *err)
{
    uint8_t header[LOOKED_AT_BYTES] = {0};
    int got = read_header(path, header, err);
    *ret_stamp = 0;
    if (got <= 0)
        return got < 0 ? -1 : check_absent(path, err);
    if (got < (int)LOOKED_AT_BYTES || memcmp(header, "SQLite format 3", 16) != 0) {
        /* The machine went down while SQLite made the file: its journal takes back what arrived. */
        if (has_bytes(path, "-journal"))
            return 0;
        return error_set(err, ERROR_DAMAGED, "%s is not a SQLite database", path);
    }
    if (load(header + SCHEMA_FORMAT_AT) > SCHEMA_FORMAT_MAX)
        return error_set(err, ERROR_DAMAGED, "%s has a schema format that there is not (%u)", path,
                         load(header + SCHEMA_FORMAT_AT));
    uint32_t application = load(header + APPLICATION_AT);
    *ret_stamp = load(header + USER_VERSION_AT);
    if (application == SCHEMA_APPLICATION_ID)
        return check_log(path, *ret_stamp, err);
    if (application != 0)
        return error_set(err, ERROR_DAMAGED, "%s belongs to another program (application id %#x)",
                         path, application);
    return 0;
}
