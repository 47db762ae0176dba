#include "daemon/store/cancelled_rows.h"

#include "daemon/store/status_columns.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS "job,first,last,ended_at,message,sum"

static uint32_t sum_of(const struct cancelled_row *row)
{
    uint32_t sum = sum_number(0, (int64_t)row->job);
    sum = sum_number(sum, (int64_t)row->first);
    sum = sum_number(sum, (int64_t)row->last);
    return sum_text(sum_number(sum, row->ended_at), row->message);
}

static int put(struct db *db, const struct cancelled_row *row, struct error *err)
{
    static const char sql[] = "REPLACE INTO task_cancelled(" COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6)";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t numbers[] = {(int64_t)row->job, (int64_t)row->first, (int64_t)row->last,
                               row->ended_at};
    bind_numbers(statement, 1, numbers, 4);
    bind_text(statement, 5, row->message);
    (void)sqlite3_bind_int64(statement, 6, sum_of(row));
    return db_run(db, statement, err);
}

/* The message is SQLite's until the next step. */
static int read_row(sqlite3_stmt *statement, struct cancelled_row *ret, struct error *err)
{
    *ret = (struct cancelled_row){.job = (uint64_t)sqlite3_column_int64(statement, 0),
                                  .first = (uint64_t)sqlite3_column_int64(statement, 1),
                                  .last = (uint64_t)sqlite3_column_int64(statement, 2),
                                  .ended_at = sqlite3_column_int64(statement, 3),
                                  .message = (const char *)sqlite3_column_text(statement, 4)};
    if (ret->message != NULL && sum_of(ret) == sqlite3_column_int64(statement, 5))
        return 0;
    return error_set(err, ERROR_DAMAGED,
                     "the row of cancelled tasks of job %llu fails its checksum",
                     (unsigned long long)ret->job);
}

/* 1 and the positions in *ret when the row that `statement` finds has the message and ends or
 * begins at `edge`; 0: not; -1: error. */
static int read_adjoining(struct db *db, sqlite3_stmt *statement, const char *message,
                          uint64_t edge, struct task_range *ret, struct error *err)
{
    struct cancelled_row row;
    int code = statement == NULL ? -1 : db_step(db, statement, err);
    if (code != SQLITE_ROW)
        return code < 0 ? -1 : 0;
    int result = read_row(statement, &row, err);
    *ret = (struct task_range){row.first, row.last};
    if (result == 0)
        result = strcmp(row.message, message) == 0 && (row.first == edge || row.last == edge);
    (void)sqlite3_reset(statement);
    return result;
}

/* What adjoins in front of it (bit 1) and behind it (bit 2); -1: error. */
static int find_adjoining(struct db *db, const struct cancelled_row *row, struct task_range ret[2],
                          struct error *err)
{
    static const char front[] = "SELECT " COLUMNS " FROM task_cancelled WHERE job=?1 AND first<?2 "
                                "ORDER BY first DESC LIMIT 1";
    static const char behind[] = "SELECT " COLUMNS " FROM task_cancelled WHERE job=?1 AND first=?2";
    const int64_t names[2][2] = {{(int64_t)row->job, (int64_t)row->first},
                                 {(int64_t)row->job, (int64_t)row->last + 1}};
    int found = 0;
    for (int side = 0; side < 2; side++) {
        sqlite3_stmt *statement = db_statement(db, side == 0 ? front : behind, err);
        if (statement != NULL)
            bind_numbers(statement, 1, names[side], 2);
        int one = read_adjoining(db, statement, row->message,
                                 side == 0 ? row->first - 1 : row->last + 1, &ret[side], err);
        if (one < 0)
            return -1;
        found |= one << side;
    }
    return found;
}

int cancelled_rows_adjoining(struct db *db, const struct cancelled_row *row, unsigned *ret,
                             struct error *err)
{
    struct task_range sides[2];
    int found = find_adjoining(db, row, sides, err);
    *ret = found < 0 ? 0 : (unsigned)__builtin_popcount((unsigned)found);
    return found < 0 ? -1 : 0;
}

static int drop(struct db *db, uint64_t job, uint64_t first, struct error *err)
{
    static const char sql[] = "DELETE FROM task_cancelled WHERE job=?1 AND first=?2";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t names[] = {(int64_t)job, (int64_t)first};
    bind_numbers(statement, 1, names, 2);
    return db_run(db, statement, err);
}

int cancelled_rows_add(struct db *db, const struct cancelled_row *row, bool join, int *ret_more,
                       struct error *err)
{
    struct cancelled_row joined = *row;
    struct task_range sides[2] = {{0, 0}, {0, 0}};
    int found = join ? find_adjoining(db, row, sides, err) : 0;
    if (found < 0 || db_begin(db, err) < 0)
        return -1;
    *ret_more = 1 - __builtin_popcount((unsigned)found);
    if ((found & 1) != 0)
        joined.first = sides[0].first;
    if ((found & 2) != 0) {
        joined.last = sides[1].last;
        if (drop(db, row->job, sides[1].first, err) < 0)
            return -1;
    }
    return put(db, &joined, err);
}

int cancelled_rows_find(struct db *db, uint64_t job, uint64_t position, struct job_status *ret,
                        struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM task_cancelled WHERE job=?1 AND first<=?2 "
                              "ORDER BY first DESC LIMIT 1";
    struct cancelled_row row;
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t names[] = {(int64_t)job, (int64_t)position};
    bind_numbers(statement, 1, names, 2);
    int code = db_step(db, statement, err);
    if (code != SQLITE_ROW)
        return code < 0 ? -1 : 0;
    int result = read_row(statement, &row, err);
    if (result == 0 && row.last >= position) {
        ret->state = JOB_STATE_CANCELLED;
        ret->ended_at = row.ended_at;
        ret->outcome = (struct outcome){.class = OUTCOME_CANCELLED, .exit_code = -1};
        (void)snprintf(ret->outcome.message, sizeof(ret->outcome.message), "%s", row.message);
        result = 1;
    }
    (void)sqlite3_reset(statement);
    return result;
}

struct reading {
    cancelled_row_fn each; /* may be NULL */
    void *arg;
};

static int read_one(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    struct cancelled_row row;
    if (read_row(statement, &row, err) < 0)
        return -1;
    if (reading->each != NULL)
        reading->each(reading->arg, &row);
    return 0;
}

int cancelled_rows_each(struct db *db, uint64_t job, cancelled_row_fn each, void *arg,
                        struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM task_cancelled WHERE job=?1 ORDER BY first";
    struct reading reading = {each, arg};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)job);
    return db_each(db, statement, read_one, &reading, err);
}

int cancelled_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM task_cancelled";
    struct reading reading = {NULL, NULL};
    return db_each(db, db_statement(db, sql, err), read_one, &reading, err);
}
