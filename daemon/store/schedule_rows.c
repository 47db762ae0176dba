#include "daemon/store/schedule_rows.h"

#include "common/cleanup.h"
#include "daemon/store/last_ids.h"
#include "daemon/store/status_columns.h"

#define COLUMNS                                                                              \
    "uid,gid,overlap,catch_up,paused,created_at,done_until,last_job,last_run_at,skipped_at," \
    "completed_at,failed_at,name,at,zone,skipped_why,sum"
#define NUMBERS 12
#define WIDTH 17

static void numbers_of(const struct schedule *schedule, int64_t ret[NUMBERS])
{
    ret[0] = schedule->uid;
    ret[1] = schedule->gid;
    ret[2] = schedule->overlap;
    ret[3] = schedule->catch_up;
    ret[4] = schedule->paused;
    ret[5] = schedule->created_at;
    ret[6] = schedule->done_until;
    ret[7] = (int64_t)schedule->last_job;
    ret[8] = schedule->last_run_at;
    ret[9] = schedule->skipped_at;
    ret[10] = schedule->completed_at;
    ret[11] = schedule->failed_at;
}

static uint32_t sum_of(const struct schedule *schedule)
{
    int64_t numbers[NUMBERS];
    numbers_of(schedule, numbers);
    uint32_t sum = sum_numbers(0, numbers, NUMBERS);
    sum = sum_text(sum_text(sum, schedule->name), schedule->at);
    return sum_text(sum_text(sum, schedule->zone), schedule->skipped_why);
}

/* Parameters 1 to WIDTH. */
static void bind_columns(sqlite3_stmt *statement, const struct schedule *schedule)
{
    int64_t numbers[NUMBERS];
    numbers_of(schedule, numbers);
    bind_numbers(statement, 1, numbers, NUMBERS);
    bind_text(statement, NUMBERS + 1, schedule->name);
    bind_text(statement, NUMBERS + 2, schedule->at);
    bind_text(statement, NUMBERS + 3, schedule->zone);
    bind_text(statement, NUMBERS + 4, schedule->skipped_why);
    (void)sqlite3_bind_int64(statement, WIDTH, sum_of(schedule));
}

int schedule_rows_insert(struct db *db, struct schedule *schedule, const char *job,
                         struct error *err)
{
    static const char sql[] = "INSERT INTO schedule(" COLUMNS ",job,job_sum)"
                              " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,"
                              "?18,?19)";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_columns(statement, schedule);
    bind_text(statement, WIDTH + 1, job);
    (void)sqlite3_bind_int64(statement, WIDTH + 2, sum_text(0, job));
    if (db_run(db, statement, err) < 0)
        return -1;
    schedule->id = (uint64_t)db_last_id(db);
    return 0;
}

int schedule_rows_update(struct db *db, const struct schedule *schedule, struct error *err)
{
    static const char sql[] =
        "UPDATE schedule SET (" COLUMNS ")=(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,"
        "?16,?17) WHERE id=?18";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_columns(statement, schedule);
    (void)sqlite3_bind_int64(statement, WIDTH + 1, (int64_t)schedule->id);
    return db_run(db, statement, err);
}

int schedule_rows_set_job(struct db *db, uint64_t id, const char *job, struct error *err)
{
    static const char sql[] = "UPDATE schedule SET job=?1,job_sum=?2 WHERE id=?3";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_text(statement, 1, job);
    (void)sqlite3_bind_int64(statement, 2, sum_text(0, job));
    (void)sqlite3_bind_int64(statement, 3, (int64_t)id);
    return db_run(db, statement, err);
}

int schedule_rows_delete(struct db *db, uint64_t id, struct error *err)
{
    static const char sql[] = "DELETE FROM schedule WHERE id=?1";
    return last_ids_delete(db, "schedule", sql, id, err);
}

static char *read_job(sqlite3_stmt *statement, int column, struct error *err)
{
    char *job = column_text(statement, column);
    if (sum_text(0, job) == sqlite3_column_int64(statement, column + 1) && job != NULL)
        return job;
    free(job);
    (void)error_set(err, ERROR_DAMAGED, "the job of a schedule fails its checksum");
    return NULL;
}

char *schedule_rows_load_job(struct db *db, uint64_t id, struct error *err)
{
    static const char sql[] = "SELECT job,job_sum FROM schedule WHERE id=?1";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return NULL;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)id);
    int code = db_step(db, statement, err);
    if (code == SQLITE_DONE)
        (void)error_set(err, ERROR_DAMAGED, "the row of a schedule is gone");
    if (code != SQLITE_ROW)
        return NULL;
    char *job = read_job(statement, 0, err);
    (void)sqlite3_reset(statement);
    return job;
}

static int read_row(sqlite3_stmt *statement, struct schedule *ret, struct error *err)
{
    *ret = (struct schedule){.uid = (uint32_t)sqlite3_column_int64(statement, 0),
                             .gid = (uint32_t)sqlite3_column_int64(statement, 1),
                             .overlap = (enum schedule_overlap)sqlite3_column_int(statement, 2),
                             .catch_up = (enum schedule_catch_up)sqlite3_column_int(statement, 3),
                             .paused = sqlite3_column_int64(statement, 4) != 0,
                             .created_at = sqlite3_column_int64(statement, 5),
                             .done_until = sqlite3_column_int64(statement, 6),
                             .last_job = (uint64_t)sqlite3_column_int64(statement, 7),
                             .last_run_at = sqlite3_column_int64(statement, 8),
                             .skipped_at = sqlite3_column_int64(statement, 9),
                             .completed_at = sqlite3_column_int64(statement, 10),
                             .failed_at = sqlite3_column_int64(statement, 11),
                             .name = column_text(statement, NUMBERS),
                             .at = column_text(statement, NUMBERS + 1),
                             .zone = column_text(statement, NUMBERS + 2),
                             .skipped_why = column_text(statement, NUMBERS + 3),
                             .id = (uint64_t)sqlite3_column_int64(statement, WIDTH)};
    if (sum_of(ret) == sqlite3_column_int64(statement, WIDTH - 1))
        return 0;
    (void)error_set(err, ERROR_DAMAGED, "the row of schedule %llu fails its checksum",
                    (unsigned long long)ret->id);
    schedule_done(ret);
    return -1;
}

struct reading {
    schedule_fn call;
    void *arg;
};

static int read_one(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    struct schedule schedule;
    if (read_row(statement, &schedule, err) < 0)
        return -1;
    reading->call(reading->arg, &schedule);
    return 0;
}

int schedule_rows_each(struct db *db, schedule_fn call, void *arg, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS ",id FROM schedule ORDER BY id";
    struct reading reading = {call, arg};
    return db_each(db, db_statement(db, sql, err), read_one, &reading, err);
}

static void ignore(void *arg, struct schedule *schedule)
{
    (void)arg;
    schedule_done(schedule);
}

static int check_job(void *arg, sqlite3_stmt *statement, struct error *err)
{
    (void)arg;
    CLEANUP_FREE char *job = read_job(statement, 0, err);
    return job == NULL ? -1 : 0;
}

int schedule_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT job,job_sum FROM schedule";
    if (schedule_rows_each(db, ignore, NULL, err) < 0)
        return -1;
    return db_each(db, db_statement(db, sql, err), check_job, NULL, err);
}
