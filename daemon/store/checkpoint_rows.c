#include "daemon/store/checkpoint_rows.h"

#include "daemon/store/status_columns.h"

#include <stdio.h>

#define CHECKPOINT_COLUMNS "job,task_index,number,count,attempt,bytes,made_at,sum"
#define CHECKPOINT_NUMBERS 7
#define NOTE_COLUMNS "job,task_index,attempt,resumed_number,resumed_attempt,text,sum"
#define NOTE_NUMBERS 5

/* The column task_index: -1 for a plain job. */
static int64_t task_of(const struct attempt_id *id)
{
    return id->is_task ? (int64_t)id->index : -1;
}

static void read_numbers(sqlite3_stmt *statement, int64_t *ret, int count)
{
    for (int i = 0; i < count; i++)
        ret[i] = sqlite3_column_int64(statement, i);
}

static int damaged(int64_t job, struct error *err)
{
    return error_set(err, ERROR_DAMAGED,
                     "a row about the checkpoints of job %lld fails its checksum", (long long)job);
}

/* ---- checkpoints ---- */

int checkpoint_rows_put(struct db *db, const struct attempt_id *of,
                        const struct checkpoint_fact *fact, struct error *err)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO checkpoint(" CHECKPOINT_COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8)";
    const int64_t numbers[CHECKPOINT_NUMBERS] = {
        (int64_t)of->job, task_of(of),          (int64_t)fact->number, (int64_t)fact->count,
        fact->attempt,    (int64_t)fact->bytes, fact->made_at};
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_numbers(statement, 1, numbers, CHECKPOINT_NUMBERS);
    (void)sqlite3_bind_int64(statement, CHECKPOINT_NUMBERS + 1,
                             sum_numbers(0, numbers, CHECKPOINT_NUMBERS));
    return db_run(db, statement, err);
}

static int read_checkpoint(void *arg, sqlite3_stmt *statement, struct error *err)
{
    struct checkpoint_fact *ret = arg;
    int64_t numbers[CHECKPOINT_NUMBERS];
    read_numbers(statement, numbers, CHECKPOINT_NUMBERS);
    if (sum_numbers(0, numbers, CHECKPOINT_NUMBERS) !=
        sqlite3_column_int64(statement, CHECKPOINT_NUMBERS))
        return damaged(numbers[0], err);
    *ret = (struct checkpoint_fact){.number = (uint64_t)numbers[2],
                                    .count = (uint64_t)numbers[3],
                                    .attempt = (uint32_t)numbers[4],
                                    .bytes = (uint64_t)numbers[5],
                                    .made_at = numbers[6]};
    return 0;
}

int checkpoint_rows_load(struct db *db, const struct attempt_id *of, struct checkpoint_fact *ret,
                         struct error *err)
{
    static const char sql[] =
        "SELECT " CHECKPOINT_COLUMNS " FROM checkpoint WHERE job=?1 AND task_index=?2";
    const int64_t numbers[] = {(int64_t)of->job, task_of(of)};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    *ret = (struct checkpoint_fact){.number = 0};
    bind_numbers(statement, 1, numbers, 2);
    return db_each(db, statement, read_checkpoint, ret, err);
}

/* ---- notes ---- */

static uint32_t note_sum(const int64_t numbers[NOTE_NUMBERS], const char *text)
{
    return sum_text(sum_numbers(0, numbers, NOTE_NUMBERS), text);
}

int note_rows_put(struct db *db, const struct attempt_id *of, const struct job_notes *notes,
                  struct error *err)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO attempt_note(" NOTE_COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7)";
    const int64_t numbers[NOTE_NUMBERS] = {(int64_t)of->job, task_of(of), of->attempt,
                                           (int64_t)notes->resumed_number, notes->resumed_attempt};
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_numbers(statement, 1, numbers, NOTE_NUMBERS);
    bind_text(statement, NOTE_NUMBERS + 1, notes->text);
    (void)sqlite3_bind_int64(statement, NOTE_NUMBERS + 2, note_sum(numbers, notes->text));
    return db_run(db, statement, err);
}

static int read_note(void *arg, sqlite3_stmt *statement, struct error *err)
{
    struct job_notes *ret = arg;
    int64_t numbers[NOTE_NUMBERS];
    const char *text = (const char *)sqlite3_column_text(statement, NOTE_NUMBERS);
    read_numbers(statement, numbers, NOTE_NUMBERS);
    if (note_sum(numbers, text) != sqlite3_column_int64(statement, NOTE_NUMBERS + 1))
        return damaged(numbers[0], err);
    *ret = (struct job_notes){.resumed_number = (uint64_t)numbers[3],
                              .resumed_attempt = (uint32_t)numbers[4]};
    (void)snprintf(ret->text, sizeof(ret->text), "%s", text == NULL ? "" : text);
    return 0;
}

int note_rows_load(struct db *db, const struct attempt_id *of, struct job_notes *ret,
                   struct error *err)
{
    static const char sql[] =
        "SELECT " NOTE_COLUMNS " FROM attempt_note WHERE job=?1 AND task_index=?2 AND attempt=?3";
    const int64_t numbers[] = {(int64_t)of->job, task_of(of), of->attempt};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    *ret = (struct job_notes){.resumed_number = 0};
    bind_numbers(statement, 1, numbers, 3);
    return db_each(db, statement, read_note, ret, err);
}

int checkpoint_rows_check(struct db *db, struct error *err)
{
    static const char checkpoints[] = "SELECT " CHECKPOINT_COLUMNS " FROM checkpoint";
    static const char all_notes[] = "SELECT " NOTE_COLUMNS " FROM attempt_note";
    struct checkpoint_fact fact;
    struct job_notes notes;
    if (db_each(db, db_statement(db, checkpoints, err), read_checkpoint, &fact, err) < 0)
        return -1;
    return db_each(db, db_statement(db, all_notes, err), read_note, &notes, err);
}
