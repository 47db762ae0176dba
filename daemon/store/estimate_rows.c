#include "daemon/store/estimate_rows.h"

#include "common/crc32c.h"
#include "daemon/store/status_columns.h"

#include <endian.h>
#include <string.h>

#define COLUMNS "kind,uid,name,samples,mean_us,published_us,learned_at,runs,sum,memory_bytes"

#define RUN_BYTES (2 * sizeof(uint64_t))

/* The runs that the history holds, in its own order: how long each took and was predicted to take.
 */
static size_t encode(const struct run_history *history, uint64_t ret[2 * RUN_HISTORY_MAX])
{
    unsigned kept = run_history_kept(history);
    for (unsigned i = 0; i < kept; i++) {
        ret[2 * (size_t)i] = htole64((uint64_t)history->run_us[i]);
        ret[2 * (size_t)i + 1] = htole64((uint64_t)history->predicted_us[i]);
    }
    return kept * RUN_BYTES;
}

static bool decode(const void *data, size_t bytes, struct run_history *history)
{
    uint64_t numbers[2 * RUN_HISTORY_MAX] = {0};
    unsigned kept = run_history_kept(history);
    if (bytes != kept * RUN_BYTES)
        return false;
    if (bytes > 0)
        memcpy(numbers, data, bytes);
    for (unsigned i = 0; i < kept; i++) {
        history->run_us[i] = (int64_t)le64toh(numbers[2 * (size_t)i]);
        history->predicted_us[i] = (int64_t)le64toh(numbers[2 * (size_t)i + 1]);
    }
    return true;
}

static uint32_t sum_of(const struct estimate *one, const void *runs, size_t bytes)
{
    const int64_t numbers[] = {
        one->kind,         one->uid,       (int64_t)one->history->samples, one->history->mean_us,
        one->published_us, one->learned_at};
    uint32_t sum =
        sum_numbers(sum_text(0, one->name), numbers, sizeof(numbers) / sizeof(numbers[0]));
    if (one->memory_bytes != 0) /* the sum of schema 4 */
        sum = sum_number(sum, (int64_t)one->memory_bytes);
    return crc32c(sum, runs, bytes);
}

int estimate_rows_put(struct db *db, const struct estimate *one, struct error *err)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO estimate(" COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    uint64_t runs[2 * RUN_HISTORY_MAX];
    size_t bytes = encode(one->history, runs);
    const int64_t numbers[] = {(int64_t)one->history->samples, one->history->mean_us,
                               one->published_us, one->learned_at};
    (void)sqlite3_bind_int64(statement, 1, one->kind);
    (void)sqlite3_bind_int64(statement, 2, one->uid);
    bind_text(statement, 3, one->name);
    bind_numbers(statement, 4, numbers, 4);
    (void)sqlite3_bind_blob64(statement, 8, runs, bytes, SQLITE_TRANSIENT);
    (void)sqlite3_bind_int64(statement, 9, sum_of(one, runs, bytes));
    (void)sqlite3_bind_int64(statement, 10, (int64_t)one->memory_bytes);
    return db_run(db, statement, err);
}

int estimate_rows_delete(struct db *db, const struct estimate *one, struct error *err)
{
    static const char sql[] = "DELETE FROM estimate WHERE kind=?1 AND uid=?2 AND name=?3";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, one->kind);
    (void)sqlite3_bind_int64(statement, 2, one->uid);
    bind_text(statement, 3, one->name);
    return db_run(db, statement, err);
}

static int read_row(sqlite3_stmt *statement, struct run_history *history, struct estimate *ret,
                    struct error *err)
{
    const void *runs = sqlite3_column_blob(statement, 7);
    size_t bytes = (size_t)sqlite3_column_bytes(statement, 7);
    *history = (struct run_history){.samples = (uint64_t)sqlite3_column_int64(statement, 3),
                                    .mean_us = sqlite3_column_int64(statement, 4)};
    *ret = (struct estimate){.kind = (enum estimate_kind)sqlite3_column_int64(statement, 0),
                             .uid = (uint32_t)sqlite3_column_int64(statement, 1),
                             .name = (const char *)sqlite3_column_text(statement, 2),
                             .published_us = sqlite3_column_int64(statement, 5),
                             .learned_at = sqlite3_column_int64(statement, 6),
                             .memory_bytes = (uint64_t)sqlite3_column_int64(statement, 9),
                             .history = history};
    if (ret->kind < ESTIMATE_KIND_COUNT && ret->name != NULL && decode(runs, bytes, history) &&
        sum_of(ret, runs, bytes) == sqlite3_column_int64(statement, 8))
        return 0;
    return error_set(err, ERROR_DAMAGED, "the row of estimates of \"%.80s\" fails its checksum",
                     ret->name == NULL ? "?" : ret->name);
}

struct reading {
    estimate_fn call; /* may be NULL */
    void *arg;
};

static int read_one(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    struct run_history history;
    struct estimate one;
    if (read_row(statement, &history, &one, err) < 0)
        return -1;
    if (reading->call != NULL)
        reading->call(reading->arg, &one);
    return 0;
}

int estimate_rows_each(struct db *db, estimate_fn call, void *arg, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM estimate ORDER BY learned_at";
    struct reading reading = {call, arg};
    return db_each(db, db_statement(db, sql, err), read_one, &reading, err);
}

int estimate_rows_check(struct db *db, struct error *err)
{
    return estimate_rows_each(db, NULL, NULL, err);
}
