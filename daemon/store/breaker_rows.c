#include "daemon/store/breaker_rows.h"

#include "daemon/store/status_columns.h"

#include <stdlib.h>

#define COLUMNS                                                                     \
    "kind,uid,name,state,window,ends,openings,good,bad,changed_at,until,failed_at," \
    "failed_class,exit_code,signal,sum"
#define NUMBERS 12U /* from state to signal */

static void numbers_of(const struct breaker_entry *entry, int64_t ret[NUMBERS])
{
    const struct breaker *breaker = &entry->breaker;
    const struct breaker_failure *failed = &entry->failed;
    const int64_t numbers[NUMBERS] = {breaker->state,      (int64_t)breaker->window,
                                      breaker->ends,       breaker->openings,
                                      breaker->good,       breaker->bad,
                                      breaker->changed_at, breaker->until,
                                      failed->at,          failed->class,
                                      failed->exit_code,   failed->signal};
    for (size_t i = 0; i < NUMBERS; i++)
        ret[i] = numbers[i];
}

static uint32_t sum_of(const struct breaker_entry *entry, const int64_t numbers[NUMBERS])
{
    uint32_t sum = sum_text(0, entry->name);
    sum = sum_number(sum_number(sum, entry->kind), entry->uid);
    return sum_numbers(sum, numbers, NUMBERS);
}

static void bind_key(sqlite3_stmt *statement, const struct breaker_entry *entry)
{
    (void)sqlite3_bind_int64(statement, 1, entry->kind);
    (void)sqlite3_bind_int64(statement, 2, entry->uid);
    bind_text(statement, 3, entry->name);
}

int breaker_rows_put(struct db *db, const struct breaker_entry *entry, struct error *err)
{
    static const char sql[] = "INSERT OR REPLACE INTO breaker(" COLUMNS
                              ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)";
    int64_t numbers[NUMBERS];
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    numbers_of(entry, numbers);
    bind_key(statement, entry);
    bind_numbers(statement, 4, numbers, NUMBERS);
    (void)sqlite3_bind_int64(statement, 4 + (int)NUMBERS, sum_of(entry, numbers));
    return db_run(db, statement, err);
}

int breaker_rows_delete(struct db *db, const struct breaker_entry *entry, struct error *err)
{
    static const char sql[] = "DELETE FROM breaker WHERE kind=?1 AND uid=?2 AND name=?3";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_key(statement, entry);
    return db_run(db, statement, err);
}

/* What it holds is in range: the code that follows takes it for granted. */
static bool is_sound(const struct breaker_entry *entry, const int64_t numbers[NUMBERS])
{
    return entry->name != NULL && entry->kind < ESTIMATE_KIND_COUNT && numbers[0] >= 0 &&
           numbers[0] < BREAKER_STATE_COUNT && numbers[2] >= 0 &&
           numbers[2] <= BREAKER_WINDOW_MAX && numbers[4] >= 0 &&
           numbers[4] <= BREAKER_PROBES_MAX && numbers[5] >= 0 && numbers[5] <= BREAKER_PROBES_MAX;
}

static int read_row(sqlite3_stmt *statement, struct breaker_entry *ret, struct error *err)
{
    int64_t numbers[NUMBERS];
    for (size_t i = 0; i < NUMBERS; i++)
        numbers[i] = sqlite3_column_int64(statement, 3 + (int)i);
    *ret = (struct breaker_entry){.kind = (enum estimate_kind)sqlite3_column_int64(statement, 0),
                                  .uid = (uint32_t)sqlite3_column_int64(statement, 1),
                                  .name = column_text(statement, 2),
                                  .breaker = {.state = (enum breaker_state)numbers[0],
                                              .window = (uint64_t)numbers[1],
                                              .ends = (uint32_t)numbers[2],
                                              .openings = (uint32_t)numbers[3],
                                              .good = (uint32_t)numbers[4],
                                              .bad = (uint32_t)numbers[5],
                                              .changed_at = numbers[6],
                                              .until = numbers[7]},
                                  .failed = {.at = numbers[8],
                                             .class = (enum outcome_class)numbers[9],
                                             .exit_code = (int)numbers[10],
                                             .signal = (int)numbers[11]}};
    if (is_sound(ret, numbers) &&
        sum_of(ret, numbers) == sqlite3_column_int64(statement, 3 + (int)NUMBERS))
        return 0;
    return error_set(err, ERROR_DAMAGED, "the row of the breaker of \"%.80s\" fails its checksum",
                     ret->name == NULL ? "?" : ret->name);
}

struct reading {
    breaker_row_fn call; /* may be NULL */
    void *arg;
};

static int read_one(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    struct breaker_entry stored;
    int result = read_row(statement, &stored, err);
    if (result == 0 && reading->call != NULL)
        reading->call(reading->arg, &stored);
    free(stored.name);
    return result;
}

int breaker_rows_each(struct db *db, breaker_row_fn call, void *arg, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM breaker";
    struct reading reading = {call, arg};
    return db_each(db, db_statement(db, sql, err), read_one, &reading, err);
}

int breaker_rows_check(struct db *db, struct error *err)
{
    return breaker_rows_each(db, NULL, NULL, err);
}
