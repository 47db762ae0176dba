#include "daemon/store/machine_rows.h"

#include "daemon/store/status_columns.h"

#include <assert.h>

/* Of each figure, in the order of enum machine_figure. */
#define OF(figure) figure "_count," figure "_sum," figure "_highest"
#define CLASSES                                                                             \
    OF("cpu_user")                                                                          \
    "," OF("cpu_nice") "," OF("cpu_system") "," OF("cpu_idle") "," OF("cpu_iowait") "," OF( \
        "cpu_irq") "," OF("cpu_softirq") "," OF("cpu_steal")
#define COLUMNS                                                                        \
    "minute,samples," OF("cpu") "," OF("load") "," OF("memory") "," OF("swap") "," OF( \
        "cpu_pressure") "," OF("memory_pressure") "," OF("io_pressure") "," CLASSES ",sum"
#define NUMBERS (2 + 3 * MACHINE_FIGURE_COUNT)
#define TEN "?,?,?,?,?,?,?,?,?,?,"
/* Most that goes at a time. */
#define PRUNED_ROWS "1440"

static void to_numbers(const struct machine_minute *minute, int64_t ret[NUMBERS])
{
    ret[0] = minute->minute;
    ret[1] = minute->samples;
    for (unsigned i = 0; i < MACHINE_FIGURE_COUNT; i++) {
        ret[2 + 3 * i] = minute->figures[i].count;
        ret[3 + 3 * i] = minute->figures[i].sum;
        ret[4 + 3 * i] = minute->figures[i].highest;
    }
}

struct reading {
    machine_minute_fn each; /* may be NULL */
    void *arg;
};

static int read_row(void *arg, sqlite3_stmt *row, struct error *err)
{
    const struct reading *reading = arg;
    struct machine_minute minute;
    int64_t numbers[NUMBERS];
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = sqlite3_column_int64(row, i);
    if (sum_numbers(0, numbers, NUMBERS) != sqlite3_column_int64(row, NUMBERS))
        return error_set(err, ERROR_DAMAGED,
                         "the row of the machine in minute %lld fails its checksum",
                         (long long)numbers[0]);
    minute.minute = numbers[0];
    minute.samples = numbers[1];
    for (unsigned i = 0; i < MACHINE_FIGURE_COUNT; i++)
        minute.figures[i] =
            (struct machine_sums){numbers[2 + 3 * i], numbers[3 + 3 * i], numbers[4 + 3 * i]};
    if (reading->each != NULL)
        reading->each(reading->arg, &minute);
    return 0;
}

static void join(void *arg, const struct machine_minute *found)
{
    struct machine_minute *minute = arg;
    minute->samples += found->samples;
    for (unsigned i = 0; i < MACHINE_FIGURE_COUNT; i++) {
        struct machine_sums *sums = &minute->figures[i];
        sums->count += found->figures[i].count;
        sums->sum += found->figures[i].sum;
        if (found->figures[i].highest > sums->highest)
            sums->highest = found->figures[i].highest;
    }
}

int machine_rows_put(struct db *db, const struct machine_minute *minute, struct error *err)
{
    static const char find[] = "SELECT " COLUMNS " FROM machine_minute WHERE minute=?1";
    static const char put[] =
        "INSERT OR REPLACE INTO machine_minute(" COLUMNS ") VALUES(" TEN TEN TEN TEN "?,?,?,?,?,?,"
        "?,?)";
    static_assert(NUMBERS == 47, "each number, and the sum, has a parameter");
    struct machine_minute whole = *minute;
    struct reading reading = {join, &whole};
    int64_t numbers[NUMBERS];
    sqlite3_stmt *statement = db_statement(db, find, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, minute->minute);
    if (db_each(db, statement, read_row, &reading, err) < 0 ||
        (statement = db_writing(db, put, err)) == NULL)
        return -1;
    to_numbers(&whole, numbers);
    bind_numbers(statement, 1, numbers, NUMBERS);
    (void)sqlite3_bind_int64(statement, NUMBERS + 1, sum_numbers(0, numbers, NUMBERS));
    return db_run(db, statement, err);
}

int machine_rows_each(struct db *db, const struct machine_span *span, machine_minute_fn each,
                      void *arg, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM machine_minute WHERE minute>=?1 AND"
                              " minute<?2 ORDER BY minute DESC LIMIT ?3";
    struct reading reading = {each, arg};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, span->since);
    (void)sqlite3_bind_int64(statement, 2, span->before);
    (void)sqlite3_bind_int64(statement, 3, span->most);
    return db_each(db, statement, read_row, &reading, err);
}

int machine_rows_prune(struct db *db, int64_t minute, struct error *err)
{
    static const char sql[] =
        "DELETE FROM machine_minute WHERE minute IN (SELECT minute FROM"
        " machine_minute WHERE minute<?1 ORDER BY minute LIMIT " PRUNED_ROWS ")";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, minute);
    return db_run(db, statement, err);
}

int machine_rows_clear(struct db *db, struct error *err)
{
    sqlite3_stmt *statement = db_writing(db, "DELETE FROM machine_minute", err);
    return statement == NULL ? -1 : db_run(db, statement, err);
}

int machine_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM machine_minute";
    struct reading reading = {.each = NULL};
    return db_each(db, db_statement(db, sql, err), read_row, &reading, err);
}
