#include "daemon/store/usage_rows.h"

#include "daemon/store/status_columns.h"

/* Memory that grew counts from the attempt on that had it; what was kept before schema 6 does not
 * say. */
#define OF_TASK "max(job.memory_bytes,task.memory_bytes)"
#define OF_ATTEMPT "iif(attempt.kind>0,attempt.memory_bytes,job.memory_bytes)"

/* The last attempt of a job or a task is in its own row, earlier ones are history. */
static const char sql[] =
    "SELECT uid,cpus,memory_bytes,gpus,gpu_share,started_at,ended_at FROM job"
    " WHERE array IS NULL AND started_at>0 AND ended_at>?1 "
    "UNION ALL SELECT job.uid,job.cpus," OF_TASK
    ",job.gpus,job.gpu_share,task.started_at,task.ended_at"
    " FROM task JOIN job ON job.id=task.job WHERE task.started_at>0 AND task.ended_at>?1 "
    "UNION ALL SELECT job.uid,job.cpus," OF_ATTEMPT
    ",job.gpus,job.gpu_share,attempt.started_at,attempt.ended_at"
    " FROM attempt JOIN job ON job.id=attempt.job"
    " WHERE attempt.started_at>0 AND attempt.ended_at>?1";

static int read_row(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct use_listener *listener = arg;
    (void)err;
#define COLUMN(number) sqlite3_column_int64(statement, number)
    const struct use use = {.uid = (uint32_t)COLUMN(0),
                            .held = {.amount = {[RESOURCE_CPUS] = (uint64_t)COLUMN(1),
                                                [RESOURCE_MEMORY] = (uint64_t)COLUMN(2),
                                                [RESOURCE_GPUS] = (uint64_t)COLUMN(3),
                                                [RESOURCE_GPU_SHARE] = (uint64_t)COLUMN(4)}},
                            .started_at = COLUMN(5),
                            .ended_at = COLUMN(6)};
#undef COLUMN
    listener->each(listener->arg, &use);
    return 0;
}

int usage_rows_each(struct db *db, int64_t since, use_fn each, void *arg, struct error *err)
{
    struct use_listener listener = {each, arg};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, since);
    return db_each(db, statement, read_row, &listener, err);
}

int usage_rows_of(struct db *db, uint64_t job, enum use_part part, int64_t most,
                  const struct use_listener *listener, struct error *err)
{
    static const char *const texts[USE_PART_COUNT] = {
        [USE_OF_JOB] = "SELECT uid,cpus,memory_bytes,gpus,gpu_share,started_at,ended_at FROM job"
                       " WHERE id=?1 AND array IS NULL LIMIT ?2",
        [USE_OF_TASKS] = "SELECT uid,cpus," OF_TASK ",gpus,gpu_share,task.started_at,task.ended_at"
                         " FROM task JOIN job ON id=task.job WHERE task.job=?1"
                         " ORDER BY task_index LIMIT ?2",
        [USE_OF_ATTEMPTS] =
            "SELECT uid,cpus," OF_ATTEMPT ",gpus,gpu_share,attempt.started_at,attempt.ended_at"
            " FROM attempt JOIN job ON id=attempt.job WHERE attempt.job=?1"
            " ORDER BY task_index,attempt.attempt LIMIT ?2",
    };
    struct use_listener mine = *listener;
    sqlite3_stmt *statement = db_statement(db, texts[part], err);
    if (statement == NULL)
        return -1;
    const int64_t numbers[] = {(int64_t)job, most};
    bind_numbers(statement, 1, numbers, 2);
    return db_each(db, statement, read_row, &mine, err);
}

/* ---- of removed jobs ---- */

#define PAST_NUMBERS 3

static uint32_t sum_of(const int64_t numbers[PAST_NUMBERS])
{
    return sum_number(sum_number(sum_number(0, numbers[0]), numbers[1]), numbers[2]);
}

static int read_past(void *arg, sqlite3_stmt *row, struct error *err)
{
    struct past_use *ret = arg;
    int64_t numbers[PAST_NUMBERS];
    for (int i = 0; i < PAST_NUMBERS; i++)
        numbers[i] = sqlite3_column_int64(row, i);
    *ret = (struct past_use){(uint32_t)numbers[0], numbers[1], numbers[2]};
    if (sum_of(numbers) == sqlite3_column_int64(row, PAST_NUMBERS))
        return 0;
    return error_set(err, ERROR_DAMAGED, "the row of the past use of uid %u fails its checksum",
                     ret->uid);
}

int past_use_load(struct db *db, uint32_t uid, struct past_use *ret, struct error *err)
{
    static const char one[] = "SELECT uid,used_us,at,sum FROM past_use WHERE uid=?1";
    sqlite3_stmt *statement = db_statement(db, one, err);
    if (statement == NULL)
        return -1;
    *ret = (struct past_use){.uid = uid};
    (void)sqlite3_bind_int64(statement, 1, uid);
    return db_each(db, statement, read_past, ret, err);
}

int past_use_put(struct db *db, const struct past_use *past, struct error *err)
{
    static const char put[] =
        "INSERT OR REPLACE INTO past_use(uid,used_us,at,sum) VALUES(?1,?2,?3,?4)";
    sqlite3_stmt *statement = db_writing(db, put, err);
    if (statement == NULL)
        return -1;
    const int64_t numbers[] = {past->uid, past->used_us, past->at};
    bind_numbers(statement, 1, numbers, PAST_NUMBERS);
    (void)sqlite3_bind_int64(statement, PAST_NUMBERS + 1, sum_of(numbers));
    return db_run(db, statement, err);
}

struct reading_past {
    past_use_fn each;
    void *arg;
};

static int read_each_past(void *arg, sqlite3_stmt *row, struct error *err)
{
    const struct reading_past *reading = arg;
    struct past_use past;
    if (read_past(&past, row, err) < 0)
        return -1;
    reading->each(reading->arg, &past);
    return 0;
}

int past_use_each(struct db *db, past_use_fn each, void *arg, struct error *err)
{
    static const char all[] = "SELECT uid,used_us,at,sum FROM past_use";
    struct reading_past reading = {each, arg};
    return db_each(db, db_statement(db, all, err), read_each_past, &reading, err);
}

static void pass(void *arg, const struct past_use *past)
{
    (void)arg;
    (void)past;
}

int past_use_check(struct db *db, struct error *err)
{
    return past_use_each(db, pass, NULL, err);
}
