#include "daemon/store/total_rows.h"

/* The columns of either part; what a task shares with its array is the array's. */
enum column {
    JOB,
    TASK,     /* its index, or -1 */
    STATE,    /* of the job or the task */
    ENDED_AT, /* as STATE */
    STARTED_AT,
    RUN_US,
    IS_ARRAY,
    CANCELLED, /* tasks of an array */
    ARRAY_STATE,
    ARRAY_ENDED_AT,
    UID,
    NAME,
    SUBMITTED_AT,
    BEGIN_AT,
    RELEASED_AT,
};

#define SHARED_COLUMNS \
    ",job.state,job.ended_at,uid,name,submitted_at,ifnull(begin_at,0),ifnull(released_at,0)"

struct part {
    struct total_cursor *cursor;
    unsigned rows; /* read so far */
    ended_fn each;
    void *arg;
};

static int64_t number(sqlite3_stmt *row, enum column column)
{
    return sqlite3_column_int64(row, (int)column);
}

static bool has_ended(sqlite3_stmt *row, enum column state, enum column ended_at, int64_t since)
{
    return job_state_terminal((enum job_state)number(row, state)) && number(row, ended_at) >= since;
}

static int64_t wait_of(sqlite3_stmt *row)
{
    int64_t since = number(row, SUBMITTED_AT);
    since = number(row, BEGIN_AT) > since ? number(row, BEGIN_AT) : since;
    since = number(row, RELEASED_AT) > since ? number(row, RELEASED_AT) : since;
    return number(row, STARTED_AT) > since ? number(row, STARTED_AT) - since : 0;
}

/* A cancelled task may have been counted with its array. */
static int64_t count_of(sqlite3_stmt *row, int64_t since)
{
    bool counted = number(row, TASK) >= 0 && number(row, STATE) == JOB_STATE_CANCELLED &&
                   has_ended(row, ARRAY_STATE, ARRAY_ENDED_AT, since);
    return (int64_t)has_ended(row, STATE, ENDED_AT, since) - counted;
}

static int read_row(void *arg, sqlite3_stmt *row, struct error *err)
{
    struct part *part = arg;
    bool array = number(row, IS_ARRAY) != 0;
    bool over = has_ended(row, STATE, ENDED_AT, part->cursor->since);
    struct ended ended = {.uid = (uint32_t)number(row, UID),
                          .name = (const char *)sqlite3_column_text(row, NAME),
                          .state = (enum job_state)number(row, STATE),
                          .count = count_of(row, part->cursor->since),
                          .started = over && number(row, STARTED_AT) > 0,
                          .wait_us = wait_of(row),
                          .run_us = number(row, RUN_US)};
    (void)err;
    part->rows++;
    part->cursor->job = (uint64_t)number(row, JOB);
    part->cursor->index = number(row, TASK);
    if (array) {
        ended.state = JOB_STATE_CANCELLED;
        ended.count = over ? number(row, CANCELLED) : 0;
        ended.started = false;
    }
    if (ended.count != 0 || ended.started)
        part->each(part->arg, &ended);
    return 0;
}

int total_rows_next(struct db *db, struct total_cursor *cursor, ended_fn each, void *arg,
                    struct error *err)
{
    static const char jobs[] =
        "SELECT id,-1,state,ended_at,started_at,run_us,array IS NOT NULL,tasks_cancelled" SHARED_COLUMNS
        " FROM job LEFT JOIN condition ON condition.job=id"
        " WHERE id>?1 ORDER BY id LIMIT ?2";
    static const char tasks[] =
        "SELECT task.job,task_index,task.state,task.ended_at,task.started_at,task.run_us,0,0" SHARED_COLUMNS
        " FROM task JOIN job ON id=task.job LEFT JOIN condition ON condition.job=id"
        " WHERE (task.job,task_index)>(?1,?3) ORDER BY task.job,task_index LIMIT ?2";
    struct part part = {.cursor = cursor, .each = each, .arg = arg};
    sqlite3_stmt *statement = db_statement(db, cursor->of_tasks ? tasks : jobs, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)cursor->job);
    (void)sqlite3_bind_int64(statement, 2, cursor->rows);
    if (cursor->of_tasks)
        (void)sqlite3_bind_int64(statement, 3, cursor->index);
    if (db_each(db, statement, read_row, &part, err) < 0)
        return -1;
    if (part.rows == cursor->rows)
        return 1;
    if (cursor->of_tasks)
        return 0;
    cursor->of_tasks = true;
    cursor->job = 0;
    cursor->index = -1;
    return 1;
}
