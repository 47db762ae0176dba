#include "daemon/store/usage_rows.h"

/* The last attempt of a job or a task is in its own row, earlier ones are history. */
static const char sql[] =
    "SELECT uid,cpus,memory_bytes,gpus,started_at,ended_at FROM job"
    " WHERE array IS NULL AND started_at>0 AND ended_at>?1 "
    "UNION ALL SELECT job.uid,job.cpus,job.memory_bytes,job.gpus,task.started_at,task.ended_at"
    " FROM task JOIN job ON job.id=task.job WHERE task.started_at>0 AND task.ended_at>?1 "
    "UNION ALL SELECT job.uid,job.cpus,job.memory_bytes,job.gpus,attempt.started_at,attempt.ended_at"
    " FROM attempt JOIN job ON job.id=attempt.job"
    " WHERE attempt.started_at>0 AND attempt.ended_at>?1";

struct reading {
    use_fn each;
    void *arg;
};

static int read_row(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    (void)err;
#define COLUMN(number) sqlite3_column_int64(statement, number)
    const struct use use = {.uid = (uint32_t)COLUMN(0),
                            .held = {.amount = {[RESOURCE_CPUS] = (uint64_t)COLUMN(1),
                                                [RESOURCE_MEMORY] = (uint64_t)COLUMN(2),
                                                [RESOURCE_GPUS] = (uint64_t)COLUMN(3)}},
                            .started_at = COLUMN(4),
                            .ended_at = COLUMN(5)};
#undef COLUMN
    reading->each(reading->arg, &use);
    return 0;
}

int usage_rows_each(struct db *db, int64_t since, use_fn each, void *arg, struct error *err)
{
    struct reading reading = {each, arg};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, since);
    return db_each(db, statement, read_row, &reading, err);
}
