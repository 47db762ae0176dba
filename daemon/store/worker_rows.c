#include "daemon/store/worker_rows.h"

#include "daemon/store/last_ids.h"
#include "daemon/store/status_columns.h"

#define NUMBERS 5U

static void numbers_of(const struct worker_facts *facts, int64_t ret[NUMBERS])
{
    const int64_t numbers[NUMBERS] = {facts->made_at, facts->why, (int64_t)facts->waiting,
                                      facts->drain, facts->drain_at};
    for (size_t i = 0; i < NUMBERS; i++)
        ret[i] = numbers[i];
}

/* The id is given by the insert. */
static uint32_t sum_of(const char *boot_id, const int64_t numbers[NUMBERS])
{
    return sum_numbers(sum_text(0, boot_id), numbers, NUMBERS);
}

/* ?1 is the boot, ?2 to ?6 the facts, ?7 their sum. */
static void bind(sqlite3_stmt *statement, const struct worker_row *row)
{
    int64_t numbers[NUMBERS];
    numbers_of(&row->facts, numbers);
    bind_text(statement, 1, row->boot_id);
    bind_numbers(statement, 2, numbers, NUMBERS);
    (void)sqlite3_bind_int64(statement, 2 + (int)NUMBERS, sum_of(row->boot_id, numbers));
}

int worker_rows_insert(struct db *db, struct worker_row *row, struct error *err)
{
    static const char sql[] = "INSERT INTO worker(boot_id,made_at,why,waiting,drain,drain_at,sum)"
                              " VALUES(?1,?2,?3,?4,?5,?6,?7)";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    bind(statement, row);
    if (db_run(db, statement, err) < 0)
        return -1;
    row->id = (uint64_t)db_last_id(db);
    return 0;
}

int worker_rows_update(struct db *db, const struct worker_row *row, struct error *err)
{
    static const char sql[] = "UPDATE worker SET boot_id=?1, made_at=?2, why=?3, waiting=?4,"
                              " drain=?5, drain_at=?6, sum=?7 WHERE id=?8";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    bind(statement, row);
    (void)sqlite3_bind_int64(statement, 8, (int64_t)row->id);
    return db_run(db, statement, err);
}

int worker_rows_delete(struct db *db, uint64_t id, struct error *err)
{
    static const char sql[] = "DELETE FROM worker WHERE id=?1";
    return last_ids_delete(db, "worker", sql, id, err);
}

struct reading {
    worker_row_fn each;
    void *arg;
};

/* What it holds is in range: the code that follows takes it for granted. */
static bool is_sound(const int64_t numbers[NUMBERS])
{
    return numbers[1] >= 0 && numbers[1] < WORKER_WHY_COUNT && numbers[3] >= 0 &&
           numbers[3] < WORKER_DRAIN_COUNT;
}

static int read_row(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    int64_t numbers[NUMBERS];
    struct worker_row row = {.id = (uint64_t)sqlite3_column_int64(statement, 0),
                             .boot_id = (const char *)sqlite3_column_text(statement, 1)};
    for (int i = 0; i < (int)NUMBERS; i++)
        numbers[i] = sqlite3_column_int64(statement, 2 + i);
    if (row.boot_id == NULL || !is_sound(numbers) ||
        sqlite3_column_int64(statement, 2 + (int)NUMBERS) != sum_of(row.boot_id, numbers))
        return error_set(err, ERROR_DAMAGED, "worker %llu fails its checksum",
                         (unsigned long long)row.id);
    row.facts = (struct worker_facts){.made_at = numbers[0],
                                      .why = (enum worker_why)numbers[1],
                                      .waiting = (uint64_t)numbers[2],
                                      .drain = (enum worker_drain)numbers[3],
                                      .drain_at = numbers[4]};
    return reading->each == NULL ? 0 : reading->each(reading->arg, &row) != 0;
}

int worker_rows_each(struct db *db, worker_row_fn each, void *arg, struct error *err)
{
    static const char sql[] = "SELECT id,boot_id,made_at,why,waiting,drain,drain_at,sum"
                              " FROM worker ORDER BY id";
    struct reading reading = {each, arg};
    return db_each(db, db_statement(db, sql, err), read_row, &reading, err);
}

int worker_rows_check(struct db *db, struct error *err)
{
    return worker_rows_each(db, NULL, NULL, err);
}
