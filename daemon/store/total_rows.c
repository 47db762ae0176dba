#include "daemon/store/total_rows.h"

#include <assert.h>

static_assert(JOB_STATE_COMPLETED == 4 && JOB_STATE_FAILED == 5 && JOB_STATE_CANCELLED == 6,
              "states in the store");
static_assert(TOTAL_BY_USER == 0 && TOTAL_BY_QUEUE == 1 && TOTAL_BY_NAME == 2, "as the text says");

/* What the two kinds of rows say, `of` being the table that has the status. */
#define ENDED(of, from)                                                                           \
    "SELECT job.uid AS uid, CASE ?1 WHEN 0 THEN NULL WHEN 1 THEN 'default' WHEN 2 THEN job.name " \
    "ELSE job.type END AS name, " of ".state AS state, " of ".started_at>0 AS started, " of       \
    ".started_at-max(job.submitted_at,ifnull(condition.begin_at,0),"                              \
    "ifnull(condition.released_at,0)) AS wait, " of ".run_us AS run FROM " from                   \
    " LEFT JOIN condition ON condition.job=job.id WHERE " of ".state>=4 AND " of                  \
    ".ended_at>=?2 AND (?3=0 OR job.uid=?4)"

static const char sql[] =
    "SELECT CASE ?1 WHEN 0 THEN uid END AS who, name, sum(state=4), sum(state=5), sum(state=6), "
    "sum(started), avg(CASE WHEN started THEN max(wait,0) END), "
    "avg(CASE WHEN started THEN run END) FROM (" ENDED("job", "job") " AND job.array IS NULL UNION ALL " ENDED(
        "task",
        "task JOIN job ON job.id=task.job") ") GROUP BY who, name ORDER BY count(*) DESC, who, name LIMIT ?5";

int total_rows_each(struct db *db, const struct total_filter *filter, total_fn each, void *arg,
                    struct error *err)
{
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, filter->by);
    (void)sqlite3_bind_int64(statement, 2, filter->since);
    (void)sqlite3_bind_int64(statement, 3, filter->uid_set);
    (void)sqlite3_bind_int64(statement, 4, filter->uid);
    (void)sqlite3_bind_int64(statement, 5, filter->limit);
    int code;
    while ((code = db_step(db, statement, err)) == SQLITE_ROW) {
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
        each(arg, &total);
    }
    return code < 0 ? -1 : 0;
}
