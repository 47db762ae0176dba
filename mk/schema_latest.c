/* Writes the C file that daemon/store/schema_latest.h declares, to standard output: what the
 * migrations make of an empty store. Run by make alone. */
#include "common/cleanup.h"
#include "daemon/store/migrations.h"
#include "daemon/store/schema_sql.h"

#include <stdio.h>
#include <stdlib.h>

/* A C string without its quotes. */
static void put_escaped(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            (void)fputs("\\n", stdout);
        else if (*text == '"' || *text == '\\')
            (void)printf("\\%c", *text);
        else
            (void)putchar(*text);
    }
}

/* What SQLite makes by itself is not made by a statement. 0 or -1. */
static int put_script(sqlite3 *handle, struct error *err)
{
    static const char sql[] = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL"
                              " AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
                              " ORDER BY type <> 'table', rowid";
    sqlite3_stmt *rows = NULL;
    int code = sqlite3_prepare_v2(handle, sql, -1, &rows, NULL);
    (void)fputs("const char schema_latest_script[] =", stdout);
    while (code == SQLITE_OK && (code = sqlite3_step(rows)) == SQLITE_ROW) {
        (void)fputs("\n    \"", stdout);
        put_escaped((const char *)sqlite3_column_text(rows, 0));
        (void)fputs(";\"", stdout);
        code = SQLITE_OK;
    }
    (void)fputs(";\n", stdout);
    (void)sqlite3_finalize(rows);
    return code == SQLITE_DONE ? 0 : error_set(err, ERROR_IO, "%s", sqlite3_errmsg(handle));
}

static int put_all(sqlite3 *handle, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    (void)fputs("#include \"daemon/store/schema_latest.h\"\n", stdout);
    if (put_script(handle, err) < 0 || schema_text(handle, &text, err) < 0)
        return -1;
    (void)fputs("const char schema_latest_text[] =\n    \"", stdout);
    put_escaped(text);
    (void)fputs("\";\n", stdout);
    return 0;
}

int main(void)
{
    struct error err = {0};
    sqlite3 *handle = NULL;
    if (sqlite3_open(":memory:", &handle) != SQLITE_OK || migrations_run(handle, 0, &err) < 0 ||
        put_all(handle, &err) < 0)
        (void)fprintf(stderr, "schema_latest: %s\n", err.text);
    (void)sqlite3_close(handle);
    return err.code == ERROR_NONE && fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS
                                                                            : EXIT_FAILURE;
}
