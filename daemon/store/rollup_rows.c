#include "daemon/store/rollup_rows.h"

#include "common/cleanup.h"
#include "daemon/store/status_columns.h"

#include <stdio.h>

/* In the order of enum rollup_number. */
#define NUMBERS "submitted,started,completed,failed,cancelled,retried,ran,wait_us,run_us,cpu_us"
#define COLUMNS "minute,uid,queue,type," NUMBERS ",waits,runs,sum"
/* A part of what is removed. */
#define PRUNED_MINUTES 60

enum column { MINUTE, UID, QUEUE, TYPE, FIRST_NUMBER, WAITS = FIRST_NUMBER + ROLLUP_NUMBER_COUNT };

static uint32_t sum_of(const struct rollup_key *key, const int64_t *numbers, const char *waits,
                       const char *runs)
{
    uint32_t sum = sum_number(sum_number(0, key->minute), key->uid);
    sum = sum_text(sum_text(sum, key->queue), key->type);
    sum = sum_numbers(sum, numbers, ROLLUP_NUMBER_COUNT);
    return sum_text(sum_text(sum, waits), runs);
}

static void bind_key(sqlite3_stmt *statement, const struct rollup_key *key)
{
    const int64_t numbers[] = {key->minute, key->uid};
    bind_numbers(statement, 1, numbers, 2);
    bind_text(statement, 3, key->queue);
    bind_text(statement, 4, key->type);
}

int rollup_rows_put(struct db *db, const struct rollup_key *key, const struct rollup *rollup,
                    struct error *err)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO rollup(" COLUMNS
        ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    CLEANUP_FREE char *waits = histogram_format(&rollup->waits);
    CLEANUP_FREE char *runs = histogram_format(&rollup->runs);
    bind_key(statement, key);
    bind_numbers(statement, FIRST_NUMBER + 1, rollup->numbers, ROLLUP_NUMBER_COUNT);
    bind_text(statement, WAITS + 1, waits);
    bind_text(statement, WAITS + 2, runs);
    (void)sqlite3_bind_int64(statement, WAITS + 3, sum_of(key, rollup->numbers, waits, runs));
    return db_run(db, statement, err);
}

/* ---- reading ---- */

struct reading {
    rollup_fn each; /* may be NULL */
    void *arg;
    struct rollup_cursor *cursor; /* may be NULL */
    unsigned rows;
};

static const char *text(sqlite3_stmt *row, int column)
{
    const char *found = (const char *)sqlite3_column_text(row, column);
    return found == NULL ? "" : found;
}

static void move_on(struct rollup_cursor *cursor, const struct rollup_key *key)
{
    cursor->minute = key->minute;
    cursor->uid = key->uid;
    (void)snprintf(cursor->queue, sizeof(cursor->queue), "%s", key->queue);
    (void)snprintf(cursor->type, sizeof(cursor->type), "%s", key->type);
}

static int read_row(void *arg, sqlite3_stmt *row, struct error *err)
{
    struct reading *reading = arg;
    const struct rollup_key key = {.minute = sqlite3_column_int64(row, MINUTE),
                                   .uid = (uint32_t)sqlite3_column_int64(row, UID),
                                   .queue = text(row, QUEUE),
                                   .type = text(row, TYPE)};
    struct rollup rollup = {.numbers = {0}};
    for (int i = 0; i < ROLLUP_NUMBER_COUNT; i++)
        rollup.numbers[i] = sqlite3_column_int64(row, FIRST_NUMBER + i);
    const char *waits = text(row, WAITS);
    const char *runs = text(row, WAITS + 1);
    if (sum_of(&key, rollup.numbers, waits, runs) != sqlite3_column_int64(row, WAITS + 2) ||
        histogram_parse(waits, &rollup.waits) < 0 || histogram_parse(runs, &rollup.runs) < 0)
        return error_set(err, ERROR_DAMAGED,
                         "the row of statistics of minute %lld, uid %u and queue \"%.80s\" fails "
                         "its checksum",
                         (long long)key.minute, key.uid, key.queue);
    reading->rows++;
    if (reading->cursor != NULL)
        move_on(reading->cursor, &key);
    if (reading->each != NULL)
        reading->each(reading->arg, &key, &rollup);
    return 0;
}

static void add(void *arg, const struct rollup_key *key, const struct rollup *rollup)
{
    (void)key;
    rollup_merge(arg, rollup);
}

int rollup_rows_load(struct db *db, const struct rollup_key *key, struct rollup *rollup,
                     struct error *err)
{
    static const char sql[] =
        "SELECT " COLUMNS " FROM rollup WHERE minute=?1 AND uid=?2 AND queue=?3 AND type=?4";
    struct reading reading = {.each = add, .arg = rollup};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_key(statement, key);
    return db_each(db, statement, read_row, &reading, err);
}

int rollup_rows_next(struct db *db, struct rollup_cursor *cursor, rollup_fn each, void *arg,
                     struct error *err)
{
    static const char sql[] =
        "SELECT " COLUMNS " FROM rollup WHERE (minute,uid,queue,type)>(?1,?2,?3,?4)"
        " ORDER BY minute,uid,queue,type LIMIT ?5";
    const struct rollup_cursor from = *cursor;
    struct reading reading = {.each = each, .arg = arg, .cursor = cursor};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, from.minute);
    (void)sqlite3_bind_int64(statement, 2, from.uid);
    bind_text(statement, 3, from.queue);
    bind_text(statement, 4, from.type);
    (void)sqlite3_bind_int64(statement, 5, from.rows);
    if (db_each(db, statement, read_row, &reading, err) < 0)
        return -1;
    return reading.rows == cursor->rows;
}

int rollup_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM rollup";
    struct reading reading = {.each = NULL};
    return db_each(db, db_statement(db, sql, err), read_row, &reading, err);
}

/* ---- the end of their time ---- */

static int read_number(void *arg, sqlite3_stmt *row, struct error *err)
{
    (void)err;
    if (sqlite3_column_type(row, 0) != SQLITE_NULL)
        *(int64_t *)arg = sqlite3_column_int64(row, 0);
    return 0;
}

int rollup_rows_first(struct db *db, int64_t *ret, struct error *err)
{
    static const char sql[] = "SELECT min(minute) FROM rollup";
    return db_each(db, db_statement(db, sql, err), read_number, ret, err);
}

int rollup_rows_prune(struct db *db, int64_t minute, bool *ret_more, struct error *err)
{
    static const char sql[] = "DELETE FROM rollup WHERE minute<?1";
    int64_t first = INT64_MAX;
    *ret_more = false;
    if (rollup_rows_first(db, &first, err) < 0)
        return -1;
    if (first >= minute)
        return 0;
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    *ret_more = minute - first > PRUNED_MINUTES;
    (void)sqlite3_bind_int64(statement, 1, *ret_more ? first + PRUNED_MINUTES : minute);
    return db_run(db, statement, err);
}
