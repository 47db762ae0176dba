#include "daemon/store/machine_part_rows.h"

#include "daemon/store/status_columns.h"

#include <assert.h>

/* Of each figure, in the order of enum machine_part_figure. What a part has none of is 0, which
 * takes a byte a column. */
#define OF(figure) figure "_count," figure "_sum," figure "_lowest," figure "_highest"
#define COLUMNS                                                                             \
    "minute,kind,name," OF("free") "," OF("inodes") "," OF("busy") "," OF("memory") "," OF( \
        "temperature") ",sum"
#define NUMBERS 20
#define FIRST_NUMBER 3

struct reading {
    machine_part_fn each; /* may be NULL */
    void *arg;
};

static uint32_t sum_of(int64_t minute, int64_t kind, const char *name,
                       const int64_t numbers[NUMBERS])
{
    const int64_t key[] = {minute, kind};
    return sum_numbers(sum_text(sum_numbers(0, key, 2), name), numbers, NUMBERS);
}

static int read_row(void *arg, sqlite3_stmt *row, struct error *err)
{
    const struct reading *reading = arg;
    struct machine_part part = {.kind = MACHINE_DISK};
    int64_t numbers[NUMBERS];
    const int64_t minute = sqlite3_column_int64(row, 0);
    const int64_t kind = sqlite3_column_int64(row, 1);
    const char *name = (const char *)sqlite3_column_text(row, 2);
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = sqlite3_column_int64(row, FIRST_NUMBER + i);
    if (name == NULL || kind < 0 || kind >= MACHINE_PART_KIND_COUNT ||
        sum_of(minute, kind, name, numbers) != sqlite3_column_int64(row, FIRST_NUMBER + NUMBERS))
        return error_set(err, ERROR_DAMAGED,
                         "a row of disks and GPUs of the machine in minute %lld fails its checksum",
                         (long long)minute);
    part.kind = (enum machine_part_kind)kind;
    part.name = (char *)(uintptr_t)name; /* for as long as the row is read */
    for (size_t i = 0; i < PART_FIGURE_COUNT; i++)
        part.figures[i] = (struct machine_range){numbers[4 * i], numbers[4 * i + 1],
                                                 numbers[4 * i + 2], numbers[4 * i + 3]};
    if (reading->each != NULL)
        reading->each(reading->arg, minute, &part);
    return 0;
}

static void join(void *arg, int64_t minute, const struct machine_part *found)
{
    struct machine_part *part = arg;
    (void)minute;
    for (unsigned i = 0; i < PART_FIGURE_COUNT; i++)
        machine_range_join(&part->figures[i], &found->figures[i]);
}

static void bind_key(sqlite3_stmt *statement, int64_t minute, const struct machine_part *part)
{
    (void)sqlite3_bind_int64(statement, 1, minute);
    (void)sqlite3_bind_int64(statement, 2, part->kind);
    bind_text(statement, 3, part->name);
}

static int write(struct db *db, int64_t minute, const struct machine_part *part, struct error *err)
{
    static const char sql[] = "INSERT OR REPLACE INTO machine_part(" COLUMNS ") VALUES(?,?,?,"
                              "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
    static_assert(NUMBERS == 4 * PART_FIGURE_COUNT, "each number, and the sum, has a parameter");
    int64_t numbers[NUMBERS];
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    for (size_t i = 0; i < PART_FIGURE_COUNT; i++) {
        numbers[4 * i] = part->figures[i].count;
        numbers[4 * i + 1] = part->figures[i].sum;
        numbers[4 * i + 2] = part->figures[i].lowest;
        numbers[4 * i + 3] = part->figures[i].highest;
    }
    bind_key(statement, minute, part);
    bind_numbers(statement, FIRST_NUMBER + 1, numbers, NUMBERS);
    (void)sqlite3_bind_int64(statement, FIRST_NUMBER + NUMBERS + 1,
                             sum_of(minute, part->kind, part->name, numbers));
    return db_run(db, statement, err);
}

int machine_part_rows_put(struct db *db, int64_t minute, const struct machine_part *part,
                          struct error *err)
{
    static const char find[] =
        "SELECT " COLUMNS " FROM machine_part WHERE minute=?1 AND kind=?2 AND name=?3";
    struct machine_part whole = *part;
    struct reading reading = {join, &whole};
    sqlite3_stmt *statement = db_statement(db, find, err);
    if (statement == NULL)
        return -1;
    bind_key(statement, minute, part);
    return db_each(db, statement, read_row, &reading, err) < 0 ? -1
                                                               : write(db, minute, &whole, err);
}

int machine_part_rows_each(struct db *db, int64_t since, int64_t before, machine_part_fn each,
                           void *arg, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM machine_part WHERE minute>=?1 AND minute<?2"
                              " ORDER BY minute,kind,name";
    struct reading reading = {each, arg};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, since);
    (void)sqlite3_bind_int64(statement, 2, before);
    return db_each(db, statement, read_row, &reading, err);
}

int machine_part_rows_prune(struct db *db, int64_t minute, struct error *err)
{
    static const char sql[] = "DELETE FROM machine_part WHERE minute<?1 AND"
                              " minute<(SELECT min(minute)+60 FROM machine_part)";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, minute);
    return db_run(db, statement, err);
}

int machine_part_rows_clear(struct db *db, struct error *err)
{
    sqlite3_stmt *statement = db_writing(db, "DELETE FROM machine_part", err);
    return statement == NULL ? -1 : db_run(db, statement, err);
}

int machine_part_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM machine_part";
    struct reading reading = {.each = NULL};
    return db_each(db, db_statement(db, sql, err), read_row, &reading, err);
}
