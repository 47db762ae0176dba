#include "daemon/store/schema_sql.h"

#include "common/alloc.h"
#include "daemon/store/result_code.h"

#include <stdio.h>

int schema_run(sqlite3 *handle, const char *sql, struct error *err)
{
    int code = sqlite3_exec(handle, sql, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return 0;
    return error_set(err, error_of_result(handle, code), "schema: %s", sqlite3_errmsg(handle));
}

/* The row of a query that has one; the caller finalizes it. NULL on error. */
static sqlite3_stmt *read_row(sqlite3 *handle, const char *sql, struct error *err)
{
    sqlite3_stmt *row = NULL;
    int code = sqlite3_prepare_v2(handle, sql, -1, &row, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(row);
    if (code == SQLITE_ROW)
        return row;
    (void)sqlite3_finalize(row);
    (void)error_set(err, code == SQLITE_DONE ? ERROR_DAMAGED : error_of_result(handle, code),
                    "schema: %s", sqlite3_errmsg(handle));
    return NULL;
}

int schema_number(sqlite3 *handle, const char *sql, int *ret, struct error *err)
{
    sqlite3_stmt *row = read_row(handle, sql, err);
    if (row == NULL)
        return -1;
    *ret = sqlite3_column_int(row, 0);
    (void)sqlite3_finalize(row);
    return 0;
}

int schema_text(sqlite3 *handle, char **ret, struct error *err)
{
    static const char sql[] = "SELECT group_concat(type || name || coalesce(sql,''), char(10)) FROM"
                              " (SELECT * FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'"
                              " ORDER BY type, name)";
    sqlite3_stmt *row = read_row(handle, sql, err);
    if (row == NULL)
        return -1;
    const char *text = (const char *)sqlite3_column_text(row, 0);
    *ret = text == NULL ? NULL : xstrdup(text);
    (void)sqlite3_finalize(row);
    return 0;
}

int schema_stamp(sqlite3 *handle, uint32_t *ret, struct error *err)
{
    int stamp = 0;
    int result = schema_number(handle, "PRAGMA user_version", &stamp, err);
    *ret = (uint32_t)stamp;
    return result;
}

int schema_set_stamp(sqlite3 *handle, uint32_t stamp, struct error *err)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "PRAGMA user_version=%u", stamp);
    return schema_run(handle, text, err);
}

int schema_set_ours(sqlite3 *handle, struct error *err)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "PRAGMA application_id=%u", SCHEMA_APPLICATION_ID);
    return schema_run(handle, text, err);
}
