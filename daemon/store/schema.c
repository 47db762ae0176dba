#include "daemon/store/schema.h"

#include "common/cleanup.h"
#include "daemon/store/migrations.h"
#include "daemon/store/schema_latest.h"
#include "daemon/store/schema_sql.h"
#include "daemon/store/stamp.h"

#include <string.h>

/* A database of another program may carry any version number, most often 0. */
static int check_ours(sqlite3 *handle, int version, struct error *err)
{
    int tables = 0;
    int application = 0;
    if (schema_number(handle, "SELECT count(*) FROM sqlite_schema", &tables, err) < 0 ||
        schema_number(handle, "PRAGMA application_id", &application, err) < 0)
        return -1;
    if ((uint32_t)application == SCHEMA_APPLICATION_ID || (version == 0 && tables == 0))
        return 0;
    return error_set(err, ERROR_DAMAGED, "this database belongs to another program");
}

/* As the migrations would make it, but in one commit and a sixth of their time. */
static int make(sqlite3 *handle, struct error *err)
{
    const uint32_t stamp = stamp_random((uint32_t)migrations_count());
    if (schema_run(handle, "BEGIN IMMEDIATE", err) < 0)
        return -1;
    if (schema_run(handle, schema_latest_script, err) == 0 && schema_set_ours(handle, err) == 0 &&
        schema_set_stamp(handle, stamp, err) == 0 && schema_run(handle, "COMMIT", err) == 0)
        return 0;
    (void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

int schema_upgrade(sqlite3 *handle, struct error *err)
{
    uint32_t stamp = 0;
    if (schema_stamp(handle, &stamp, err) < 0)
        return -1;
    int version = (int)stamp_version(stamp);
    if (check_ours(handle, version, err) < 0)
        return -1;
    if (version > migrations_count())
        return error_set(err, ERROR_DAMAGED,
                         "the store has schema version %d, this batchd knows up to %d; use the "
                         "batchd that wrote it or a newer one",
                         version, migrations_count());
    return version == 0 ? make(handle, err) : migrations_run(handle, stamp, err);
}

int schema_check(sqlite3 *handle, struct error *err)
{
    CLEANUP_FREE char *found = NULL;
    if (schema_text(handle, &found, err) < 0)
        return -1;
    if (found != NULL && strcmp(found, schema_latest_text) == 0)
        return 0;
    return error_set(err, ERROR_DAMAGED, "the schema is not that of version %d",
                     migrations_count());
}
