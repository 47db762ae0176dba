#include "daemon/store/total_rows.h"

#include <assert.h>

static_assert(JOB_STATE_COMPLETED == 4 && JOB_STATE_FAILED == 5 && JOB_STATE_CANCELLED == 6,
              "states in the store");
static_assert(TOTAL_BY_USER == 0 && TOTAL_BY_QUEUE == 1 && TOTAL_BY_NAME == 2 && TOTAL_BY_TYPE == 3,
              "as the text says");

static const char sql[] =
    "WITH ended(job,state,started_at,run_us,count) AS ("
    "SELECT id,state,started_at,run_us,1 FROM job"
    " WHERE array IS NULL AND state>=4 AND ended_at>=?2 "
    "UNION ALL SELECT job,state,started_at,run_us,1 FROM task WHERE state>=4 AND ended_at>=?2 "
    "UNION ALL SELECT id,6,0,0,tasks_cancelled-"
    "(SELECT count(*) FROM task WHERE task.job=job.id AND task.state=6) FROM job"
    " WHERE array IS NOT NULL AND tasks_cancelled>0 AND state>=4 AND ended_at>=?2)"
    "SELECT CASE ?1 WHEN 0 THEN uid END AS who,"
    " CASE ?1 WHEN 1 THEN queue WHEN 2 THEN name WHEN 3 THEN type END AS what,"
    " sum(count*(ended.state=4)),sum(count*(ended.state=5)),sum(count*(ended.state=6)),"
    " sum(ended.started_at>0),"
    " avg(CASE WHEN ended.started_at>0 THEN max(0,ended.started_at-"
    "max(submitted_at,ifnull(begin_at,0),ifnull(released_at,0))) END),"
    " avg(CASE WHEN ended.started_at>0 THEN ended.run_us END)"
    " FROM ended JOIN job ON job.id=ended.job LEFT JOIN condition ON condition.job=job.id"
    " WHERE ?3=0 OR uid=?4 GROUP BY who,what ORDER BY sum(count) DESC,who,what LIMIT ?5";

struct reading {
    total_fn each;
    void *arg;
};

static int read_row(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    (void)err;
#define COLUMN(number) (uint64_t) sqlite3_column_int64(statement, number)
    const struct total total = {.uid = (uint32_t)COLUMN(0),
                                .name = (const char *)sqlite3_column_text(statement, 1),
                                .completed = COLUMN(2),
                                .failed = COLUMN(3),
                                .cancelled = COLUMN(4),
                                .started = COLUMN(5),
                                .wait_us = sqlite3_column_double(statement, 6),
                                .run_us = sqlite3_column_double(statement, 7)};
#undef COLUMN
    reading->each(reading->arg, &total);
    return 0;
}

int total_rows_each(struct db *db, const struct total_filter *filter, total_fn each, void *arg,
                    struct error *err)
{
    struct reading reading = {each, arg};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, filter->by);
    (void)sqlite3_bind_int64(statement, 2, filter->since);
    (void)sqlite3_bind_int64(statement, 3, filter->uid_set);
    (void)sqlite3_bind_int64(statement, 4, filter->uid);
    (void)sqlite3_bind_int64(statement, 5, filter->limit);
    return db_each(db, statement, read_row, &reading, err);
}
